//! The demand that a device says that it is hardware, and is not known to be software, as a
//! type.

use std::fmt;

use super::{Confined, NeverExposed, Refused};
use crate::algorithm::{Signature, VerifyingKey};
use crate::did::Did;
use crate::evidence::{Assurance, Evidence, Requirement, Unmet};
use crate::fault::SignError;
use crate::private::{Closed, Token};
use crate::signer::{DidSigner, DidSignerExt as _};
use crate::sshsig::SshSignature;

/// A signer whose device says that it is hardware, and is not known to be software.
/// Refused are soft tokens, remote services, and devices that do not say what they are.
///
/// A provenance says where a key is, and not what that is made of: the key in a
/// SoftHSM token is `Hardware`, and whoever copies the token's files has it. This type
/// is had by a check of the evidence only. It is the device's word all the same: only
/// an attestation by its maker proves more.
///
/// ```
/// use icn_identity::{DidSigner, HardwareBacked, NeverExposed};
///
/// /// Signs with keys that never left a device which is hardware.
/// fn treasury<K: DidSigner + NeverExposed>(key: &HardwareBacked<K>) { /* … */ }
/// ```
#[must_use = "dropping a key closes it"]
pub struct HardwareBacked<K>(K);

impl<K> HardwareBacked<K> {
    /// Takes a signer if its evidence says at least
    /// [`Assurance::Claimed`].
    ///
    /// # Errors
    ///
    /// Gives the signer back, with [`Unmet::Assurance`], if its device is software or
    /// does not say that it is hardware.
    pub fn check(key: K) -> Result<Self, Refused<K, Unmet>>
    where
        K: DidSigner + Confined,
    {
        let required = Requirement::any().confined().at_least(Assurance::Claimed);
        match required.met_by(key.evidence()) {
            Ok(()) => Ok(Self(key)),
            Err(unmet) => Err(Refused::new(key, unmet)),
        }
    }

    /// The signer.
    pub const fn as_inner(&self) -> &K {
        &self.0
    }

    /// The signer, no longer shown to be hardware by its type.
    pub fn into_inner(self) -> K {
        self.0
    }
}

impl<K: DidSigner> DidSigner for HardwareBacked<K> {
    fn did(&self) -> &Did {
        self.0.did()
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.0.verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        self.0.sign(message)
    }
    fn sign_for(&self, context: &str, message: &[u8]) -> Result<SshSignature, SignError> {
        self.0.sign_for(context, message)
    }
    fn __sign_statement(&self, statement: &[u8], token: Token) -> Result<Signature, SignError> {
        self.0.__sign_statement(statement, token)
    }
    fn __verifies(&self, token: Token) -> bool {
        self.0.__verifies(token)
    }
    fn __sign_sha256(
        &self,
        digest: &[u8; 32],
        token: Token,
    ) -> Option<Result<Signature, SignError>> {
        self.0.__sign_sha256(digest, token)
    }
    fn __takes_hashes(&self, token: Token) -> bool {
        self.0.__takes_hashes(token)
    }
    fn __evidence(&self, token: Token) -> Option<&Evidence> {
        self.0.__evidence(token)
    }
}

impl<K> Closed for HardwareBacked<K> {}
#[diagnostic::do_not_recommend]
impl<K: Confined> Confined for HardwareBacked<K> {}
#[diagnostic::do_not_recommend]
impl<K: NeverExposed> NeverExposed for HardwareBacked<K> {}

impl<K: fmt::Debug> fmt::Debug for HardwareBacked<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HardwareBacked").field(&self.0).finish()
    }
}
