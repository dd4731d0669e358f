//! Code generic over the signer, and what it can demand of one.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use icn_identity::algorithm::Ed25519VerifyingKey;
use icn_identity::{
    Assurance, Custody, DidSigner, DidSignerExt as _, Error, External, ExternalSigner,
    HardwareBacked, HardwareKey, Key, NeverExposed, Requirement, Signature, Software, SshSignature,
    Unlocked, VerifyingKey,
};

/// Any signer will do. The context keeps the signature from being used elsewhere.
fn greet(signer: &impl DidSigner) -> Result<SshSignature, Error> {
    let message = format!("hello from {}", signer.did());
    Ok(signer.sign_for("greetings@coop.example", message.as_bytes())?)
}

/// Only a key that is shown never to have left its device will do, and only in a
/// device that is not known to be software. Calling it with a software key does not
/// compile.
fn treasury<K: DidSigner + NeverExposed>(key: &HardwareBacked<K>) -> Result<SshSignature, Error> {
    Ok(key.sign_for("treasury@coop.example", b"pay 100 to the cooperative")?)
}

/// The same demand at run time, for a signer chosen by configuration.
fn treasury_of(signer: &dyn DidSigner) -> Result<SshSignature, Error> {
    Requirement::any().never_exposed().at_least(Assurance::Claimed).check(signer)?;
    Ok(signer.sign_for("treasury@coop.example", b"pay 100 to the cooperative")?)
}

/// A signer written outside the crate: a cloud KMS, an agent, a test.
struct Kms {
    signing: ed25519_dalek::SigningKey,
    public: VerifyingKey,
}

impl Kms {
    fn new() -> Result<Self, Error> {
        let seed = Key::<Software, Unlocked>::generate()?;
        let signing = ed25519_dalek::SigningKey::from_bytes(seed.expose_secret());
        let public = Ed25519VerifyingKey::from_bytes(signing.verifying_key().as_bytes())?;
        Ok(Self { signing, public: public.into() })
    }
}

impl ExternalSigner for Kms {
    fn verifying_key(&self) -> VerifyingKey {
        self.public
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn std::error::Error + Send + Sync>> {
        let signature = ed25519_dalek::Signer::try_sign(&self.signing, message)?;
        Ok(Signature::from_ed25519_bytes(signature.to_bytes()))
    }
}

fn main() -> Result<(), Error> {
    let software = Key::<Software, Unlocked>::generate()?;
    greet(&software)?;

    let external = Key::<External, Unlocked>::from_external(Kms::new()?)?;
    greet(&external)?;
    // Whatever a foreign signer says of itself, nothing is proven.
    assert_eq!(external.custody(), Custody::Unproven);

    let boxed: Box<dyn DidSigner> = Box::new(external);
    match treasury_of(&boxed) {
        Err(error) => println!("refused: {error}"),
        Ok(_) => unreachable!("nothing is proven about this signer"),
    }
    // `treasury` wants a type that is had by a check of the evidence.
    let _: fn(&HardwareBacked<HardwareKey>) -> _ = treasury;
    Ok(())
}
