//! Verifiers: ours, and those that share no code with it.

use std::fs;
use std::process::Command;

use icn_identity::{AlgorithmId, Did, DidMethod, Signature, SshSignature, VerifyingKey};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use support::home::run;
use support::ssh_keygen;

/// What is asked of whoever verifies a signature over the message itself.
pub(super) type Bare = fn(&VerifyingKey, &[u8], &Signature) -> bool;

/// And of one that says what it is for.
pub(super) type ForContext = fn(&VerifyingKey, &str, &[u8], &SshSignature) -> bool;

#[derive(Clone, Copy)]
pub(super) enum Verifies {
    Bare(Bare),
    ForContext(ForContext),
}

pub(super) struct Route {
    pub(super) name: &'static str,
    pub(super) algorithms: &'static [AlgorithmId],
    /// A program that is started: it is not asked of each message.
    pub(super) is_process: bool,
    pub(super) verifies: Verifies,
}

const ED25519_ONLY: &[AlgorithmId] = &[AlgorithmId::Ed25519];
const P256_ONLY: &[AlgorithmId] = &[AlgorithmId::P256];
const BOTH: &[AlgorithmId] = &crate::signers::BOTH;

pub(super) const ROUTES: [Route; 10] = [
    in_process("this crate, strictly", BOTH, Verifies::Bare(strictly)),
    in_process("this crate, by the DID", BOTH, Verifies::Bare(by_did)),
    in_process("this crate, by the trait of RustCrypto", BOTH, Verifies::Bare(by_trait)),
    in_process("ed25519-dalek", ED25519_ONLY, Verifies::Bare(dalek)),
    in_process("p256", P256_ONLY, Verifies::Bare(p256)),
    in_process("ring", BOTH, Verifies::Bare(ring)),
    process("openssl", BOTH, Verifies::Bare(openssl)),
    in_process("this crate, for a context", BOTH, Verifies::ForContext(for_context)),
    in_process("this crate, for a context, from its text", BOTH, Verifies::ForContext(from_text)),
    process("ssh-keygen -Y verify", BOTH, Verifies::ForContext(ssh_keygen)),
];

/// As many verify signatures of this algorithm.
pub(super) fn count(algorithm: AlgorithmId) -> usize {
    of(algorithm).count()
}

pub(super) fn of(algorithm: AlgorithmId) -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(move |route| route.algorithms.contains(&algorithm))
}

const fn in_process(
    name: &'static str,
    algorithms: &'static [AlgorithmId],
    verifies: Verifies,
) -> Route {
    Route { name, algorithms, is_process: false, verifies }
}

const fn process(
    name: &'static str,
    algorithms: &'static [AlgorithmId],
    verifies: Verifies,
) -> Route {
    Route { name, algorithms, is_process: true, verifies }
}

fn strictly(key: &VerifyingKey, message: &[u8], signature: &Signature) -> bool {
    key.verify_strict(message, signature).is_ok()
}

/// As whoever has nothing but the DID.
fn by_did(key: &VerifyingKey, message: &[u8], signature: &Signature) -> bool {
    let did = Did::from_key(DidMethod::Key, key).unwrap();
    let key = *Did::parse(did.as_str()).unwrap().verifying_key();
    key.verify(message, signature).is_ok()
}

fn by_trait(key: &VerifyingKey, message: &[u8], signature: &Signature) -> bool {
    use signature::Verifier;
    match signature.algorithm() {
        AlgorithmId::Ed25519 => {
            let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
            Verifier::<ed25519_dalek::Signature>::verify(key, message, &signature).is_ok()
        }
        _ => p256::ecdsa::Signature::from_slice(signature.as_bytes()).is_ok_and(|signature| {
            Verifier::<p256::ecdsa::Signature>::verify(key, message, &signature).is_ok()
        }),
    }
}

fn dalek(key: &VerifyingKey, message: &[u8], signature: &Signature) -> bool {
    let bytes = key.as_bytes().try_into();
    let key = bytes.ok().and_then(|bytes| ed25519_dalek::VerifyingKey::from_bytes(bytes).ok());
    let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
    key.is_some_and(|key| key.verify_strict(message, &signature).is_ok())
}

fn p256(key: &VerifyingKey, message: &[u8], signature: &Signature) -> bool {
    use p256::ecdsa::signature::Verifier as _;
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key.as_bytes()).unwrap();
    p256::ecdsa::Signature::from_slice(signature.as_bytes())
        .is_ok_and(|signature| key.verify(message, &signature).is_ok())
}

fn ring(key: &VerifyingKey, message: &[u8], signature: &Signature) -> bool {
    let signature = signature.as_bytes();
    match key.algorithm() {
        AlgorithmId::Ed25519 => {
            UnparsedPublicKey::new(&ED25519, key.as_bytes()).verify(message, signature).is_ok()
        }
        _ => {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key.as_bytes()).unwrap();
            let point = key.to_sec1_point(false);
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point.as_bytes())
                .verify(message, signature)
                .is_ok()
        }
    }
}

/// OpenSSL 3.0's `pkeyutl` reads no empty file: such a message is not asked.
pub(super) fn is_for_openssl(key: &VerifyingKey, message: &[u8]) -> bool {
    key.algorithm() != AlgorithmId::Ed25519 || !message.is_empty()
}

fn openssl(key: &VerifyingKey, message: &[u8], signature: &Signature) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let public = put("public.pem", key.to_public_key_pem().as_bytes());
    let message = put("message", message);
    let ran = match key.algorithm() {
        AlgorithmId::Ed25519 => {
            let signature = put("signature", signature.as_bytes());
            let files = ["-inkey", &public, "-in", &message, "-sigfile", &signature];
            let verify = ["pkeyutl", "-verify", "-pubin", "-rawin"];
            run(Command::new("openssl").args(verify).args(files), b"")
        }
        _ => {
            let Ok(signature) = p256::ecdsa::Signature::from_slice(signature.as_bytes()) else {
                return false;
            };
            let signature = put("signature", signature.to_der().as_bytes());
            let verify = ["dgst", "-sha256", "-verify", &public, "-signature", &signature];
            run(Command::new("openssl").args(verify).arg(&message), b"")
        }
    };
    // It has looked, whatever it says.
    let looked = format!("{}{}", ran.out, ran.err);
    assert!(looked.contains("erif"), "{looked}");
    ran.code == 0
}

fn for_context(
    key: &VerifyingKey,
    context: &str,
    message: &[u8],
    signature: &SshSignature,
) -> bool {
    key.verify_for(context, message, signature).is_ok()
}

fn from_text(key: &VerifyingKey, context: &str, message: &[u8], signature: &SshSignature) -> bool {
    let signature: SshSignature = signature.to_string().parse().unwrap();
    key.verify_for(context, message, &signature).is_ok()
}

fn ssh_keygen(key: &VerifyingKey, context: &str, message: &[u8], signature: &SshSignature) -> bool {
    ssh_keygen::verifies(&key.to_openssh(), context, message, &signature.to_string())
}
