//! A key that never left its device, of either algorithm.

use std::fmt;

use super::{Confined, DidKey, Hardware, Key, NeverExposed, Unlocked, WrongProvenance};
use crate::algorithm::{P256, Signature, VerifyingKey};
use crate::did::Did;
use crate::evidence::{Evidence, ProvenanceKind};
use crate::fault::SignError;
use crate::private::{Closed, Token};
use crate::signer::DidSigner;
use crate::sshsig::SshSignature;

/// An unlocked key that never left its device, by everything the device says: of the
/// algorithm that the device has.
///
/// For code that demands [`NeverExposed`] by a type without a parameter for the
/// algorithm. It says nothing of what the device is made of: a soft token's key is one,
/// too; see [`HardwareBacked`](super::HardwareBacked).
#[non_exhaustive]
#[must_use = "dropping a key closes it"]
pub enum HardwareKey {
    /// An Ed25519 key.
    Ed25519(Key<Hardware, Unlocked>),
    /// A P-256 key.
    P256(Key<Hardware, Unlocked, P256>),
}

macro_rules! each {
    ($self:expr, $key:ident => $do:expr) => {
        match $self {
            HardwareKey::Ed25519($key) => $do,
            HardwareKey::P256($key) => $do,
        }
    };
}

impl DidSigner for HardwareKey {
    fn did(&self) -> &Did {
        each!(self, key => key.did())
    }
    fn verifying_key(&self) -> &VerifyingKey {
        each!(self, key => key.verifying_key())
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        each!(self, key => key.sign(message))
    }
    fn sign_for(&self, context: &str, message: &[u8]) -> Result<SshSignature, SignError> {
        each!(self, key => key.sign_for(context, message))
    }
    fn __sign_statement(&self, statement: &[u8], token: Token) -> Result<Signature, SignError> {
        each!(self, key => key.__sign_statement(statement, token))
    }
    fn __verifies(&self, token: Token) -> bool {
        each!(self, key => key.__verifies(token))
    }
    fn __sign_sha256(
        &self,
        digest: &[u8; 32],
        token: Token,
    ) -> Option<Result<Signature, SignError>> {
        each!(self, key => key.__sign_sha256(digest, token))
    }
    fn __takes_hashes(&self, token: Token) -> bool {
        each!(self, key => key.__takes_hashes(token))
    }
    fn __evidence(&self, token: Token) -> Option<&Evidence> {
        each!(self, key => key.__evidence(token))
    }
}

impl Closed for HardwareKey {}
impl Confined for HardwareKey {}
impl NeverExposed for HardwareKey {}

impl From<Key<Hardware, Unlocked>> for HardwareKey {
    fn from(key: Key<Hardware, Unlocked>) -> Self {
        Self::Ed25519(key)
    }
}

impl From<Key<Hardware, Unlocked, P256>> for HardwareKey {
    fn from(key: Key<Hardware, Unlocked, P256>) -> Self {
        Self::P256(key)
    }
}

impl From<HardwareKey> for DidKey {
    fn from(key: HardwareKey) -> Self {
        each!(key, key => key.into())
    }
}

impl TryFrom<DidKey> for HardwareKey {
    type Error = WrongProvenance;
    fn try_from(key: DidKey) -> Result<Self, WrongProvenance> {
        match key {
            DidKey::Hardware(key) => Ok(Self::Ed25519(key)),
            DidKey::HardwareP256(key) => Ok(Self::P256(key)),
            key => Err(WrongProvenance::of_either_algorithm(ProvenanceKind::Hardware, key)),
        }
    }
}

impl fmt::Debug for HardwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(self, key => key.fmt(f))
    }
}
