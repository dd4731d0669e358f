//! Messages that are hashed while they are read, by every kind of signer.

use std::error::Error as StdError;
use std::io::{self, Read};

use icn_identity::algorithm::P256VerifyingKey;
use icn_identity::error::SignError;
use icn_identity::key::{ExternalSigner, Observed, SigningObserver};
use icn_identity::signer::{ReadForContext, ReadMessage};
use icn_identity::{
    AlgorithmId, DidKey, DidSigner, DidSignerExt as _, IdentityBundle, Key, Signature, Software,
    Unlocked, VerifyingKey,
};
use p256::ecdsa::signature::Signer as _;
use sha2::{Digest as _, Sha512};

const MESSAGE: &[u8] = b"100 to Ada";

fn software() -> Key<Software, Unlocked> {
    Key::generate().unwrap()
}

/// One byte at a time, with interruptions.
struct Slow(Vec<u8>, bool);

impl Read for Slow {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let Some(first) = self.0.first().copied() else { return Ok(0) };
        bytes[0] = first;
        self.0.remove(0);
        Ok(1)
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

/// A P-256 key behind a foreign signer, which is asked for messages.
struct Foreign(p256::ecdsa::SigningKey);

impl ExternalSigner for Foreign {
    fn verifying_key(&self) -> VerifyingKey {
        let point = self.0.verifying_key().to_sec1_point(true);
        P256VerifyingKey::from_bytes(point.as_bytes().try_into().unwrap()).unwrap().into()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn StdError + Send + Sync>> {
        let signature: p256::ecdsa::Signature = self.0.sign(message);
        Ok(Signature::from_p256_bytes(signature.to_bytes().into()))
    }
}

struct Nobody;

impl SigningObserver for Nobody {}

fn signs_what_was_read(signer: &dyn DidSigner) {
    let key = signer.verifying_key();
    let read = |message: &[u8]| ReadMessage::read(Slow(message.to_vec(), false), key.algorithm());
    let signature = signer.sign_read(&read(MESSAGE).unwrap()).unwrap();
    key.verify(MESSAGE, &signature).unwrap();
    key.verify_read(&read(MESSAGE).unwrap(), &signature).unwrap();
    assert!(key.verify_read(&read(b"100 to Eve").unwrap(), &signature).is_err());
    for reserved in [&b"icn-identity/binding/v1\0"[..], b"SSHSIG\0"] {
        let read = read(reserved).unwrap();
        assert!(read.is_reserved());
        assert!(matches!(signer.sign_read(&read), Err(SignError::Reserved)));
    }
    let for_context = ReadForContext::read("pay", Slow(MESSAGE.to_vec(), false)).unwrap();
    let signature = signer.sign_read_for(&for_context).unwrap();
    key.verify_for("pay", MESSAGE, &signature).unwrap();
    let again = ReadForContext::read_to_verify("pay", MESSAGE, &signature).unwrap();
    key.verify_read_for(&again, &signature).unwrap();
    for (context, message) in [("pay", &b"100 to Eve"[..]), ("log in", MESSAGE)] {
        let other = ReadForContext::read_to_verify(context, message, &signature).unwrap();
        assert!(key.verify_read_for(&other, &signature).is_err());
    }
}

#[test]
fn every_signer_of_ours_signs_what_was_read() {
    signs_what_was_read(&software());
    signs_what_was_read(&&DidKey::from(software()));
    signs_what_was_read(&IdentityBundle::issue(software()).unwrap());
    let boxed: Box<dyn DidSigner> = Box::new(software());
    signs_what_was_read(&boxed);
}

/// A message is longer than what is compared with the beginnings of statements.
#[test]
fn only_the_beginning_of_a_message_is_reserved() {
    for algorithm in [AlgorithmId::Ed25519, AlgorithmId::P256] {
        for (message, reserved) in [
            (&b"icn-identity/"[..], true),
            (b"icn-identity", false),
            (b" icn-identity/", false),
            (b"", false),
        ] {
            let long = [message, &[b'x'; 200_000]].concat();
            assert_eq!(ReadMessage::read(&long[..], algorithm).unwrap().is_reserved(), reserved);
        }
    }
}

#[test]
fn a_signer_that_wants_the_message_is_not_given_its_hash() {
    let wants = |error| assert!(matches!(error, SignError::WantsMessage), "{error:?}");
    let for_context = ReadForContext::read("pay", MESSAGE).unwrap();
    // An observer would see a statement where a message is signed for a context.
    let observed = Observed::new(software(), Nobody);
    wants(observed.sign_read_for(&for_context).unwrap_err());
    wants(IdentityBundle::issue(&observed).unwrap().sign_read_for(&for_context).unwrap_err());
    observed.sign_read(&ReadMessage::whole(MESSAGE).unwrap()).unwrap();

    let secret = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let foreign = Key::from_external_p256(Foreign(secret)).unwrap();
    let hashed = ReadMessage::read(MESSAGE, AlgorithmId::P256).unwrap();
    wants(foreign.sign_read(&hashed).unwrap_err());
    let signature = foreign.sign_read(&ReadMessage::whole(MESSAGE).unwrap()).unwrap();
    foreign.verifying_key().verify_read(&hashed, &signature).unwrap();
    // For a context it signs a few bytes of ours, as ever.
    foreign.sign_read_for(&for_context).unwrap();
    // An Ed25519 key has no use for a hash.
    wants(software().sign_read(&hashed).unwrap_err());
    assert!(software().verifying_key().verify_read(&hashed, &signature).is_err());
}

#[test]
fn what_cannot_be_read_is_an_error_of_reading() {
    for algorithm in [AlgorithmId::Ed25519, AlgorithmId::P256] {
        let error = ReadMessage::read(Broken, algorithm).unwrap_err();
        assert!(matches!(error, SignError::Unread(_)), "{error:?}");
    }
    assert!(matches!(ReadForContext::read("pay", Broken), Err(SignError::Unread(_))));
    let error = ReadForContext::read("a\nb", MESSAGE).unwrap_err();
    assert!(matches!(error, SignError::InvalidContext), "{error:?}");
}

/// Whoever has the SHA-512 of a message has it signed without sending the message.
#[test]
fn a_message_that_somebody_else_has_hashed_is_signed_for_a_context() {
    let (key, digest) = (software(), Sha512::digest(MESSAGE).into());
    let hashed = ReadForContext::from_sha512("payments", &digest).unwrap();
    let signature = key.sign_read_for(&hashed).unwrap();
    assert_eq!(signature, key.sign_for("payments", MESSAGE).unwrap());
    key.verifying_key().verify_for("payments", MESSAGE, &signature).unwrap();
    for context in ["", "a\nb", &"a".repeat(1025)] {
        let refused = ReadForContext::from_sha512(context, &digest);
        assert!(matches!(refused, Err(SignError::InvalidContext)), "{context:?}");
    }
}
