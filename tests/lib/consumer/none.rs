//! Who only verifies: no feature.
#![deny(warnings)]

use icn_identity::error::{Explain, SignError};
use icn_identity::evidence::Requirement;
use icn_identity::peer::{BindingNumber, VerifiedDid};
use icn_identity::rotation::RotationChain;
use icn_identity::{
    AlgorithmId, Custody, Did, DidMethod, DidSigner, DidSignerExt, Error, ErrorKind, External, Key,
    Provenance, Signature, Software, SshSignature, Unlocked, VerifyingKey,
};

/// A signer written elsewhere.
pub struct Mine(pub Key<Software, Unlocked>);

impl DidSigner for Mine {
    fn did(&self) -> &Did {
        self.0.did()
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.0.verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        self.0.sign(message)
    }
}

pub struct Node<P: Provenance> {
    pub key: Key<P, Unlocked>,
}

pub fn greet(signer: &dyn DidSigner) -> Result<SshSignature, Error> {
    Requirement::any().check(signer)?;
    Ok(signer.sign_for("greetings@coop.example", b"hello")?)
}

pub fn verify(did: &str, armored: &str, message: &[u8]) -> Result<(), Error> {
    let did: Did = did.parse()?;
    let signature: SshSignature = armored.parse()?;
    did.verifying_key().verify_for("greetings@coop.example", message, &signature)?;
    Ok(())
}

pub fn key(pem: &str) -> Result<Did, Error> {
    let key = VerifyingKey::from_public_key_pem(pem)?;
    assert_eq!(key.algorithm(), AlgorithmId::Ed25519);
    Ok(Did::from_key(DidMethod::Icn, &key)?)
}

pub fn chain(json: &[u8]) -> Result<RotationChain, Error> {
    Ok(RotationChain::from_json(json)?)
}

pub fn is_proven(signer: &impl DidSignerExt) -> bool {
    signer.custody() != Custody::Unproven
}

pub fn again<E: Explain>(error: &E) -> bool {
    error.kind().is_transient() || error.kind() == ErrorKind::Busy
}

pub fn withdraw(from: &VerifiedDid, number: BindingNumber) -> String {
    format!("{from} {}", number.epoch)
}

pub fn external(key: Key<External, Unlocked>) -> Node<External> {
    Node { key }
}
