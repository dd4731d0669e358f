//! A bundle is a signer itself: the pinned way to its key.

use super::IdentityBundle;
use crate::algorithm::{Signature, VerifyingKey};
use crate::did::Did;
use crate::evidence::Evidence;
use crate::fault::SignError;
use crate::key::{Confined, NeverExposed};
use crate::private::{Closed, Token};
use crate::signer::DidSigner;
use crate::sshsig::SshSignature;

/// Pinned: what is given out verifies under the pinned key.
#[diagnostic::do_not_recommend]
impl<S: DidSigner> DidSigner for IdentityBundle<S> {
    fn did(&self) -> &Did {
        &self.did
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.did.verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        Self::sign(self, message)
    }
    fn sign_for(&self, context: &str, message: &[u8]) -> Result<SshSignature, SignError> {
        Self::sign_for(self, context, message)
    }
    fn __sign_statement(&self, statement: &[u8], _: Token) -> Result<Signature, SignError> {
        self.sign_statement(statement)
    }
    fn __verifies(&self, _: Token) -> bool {
        true
    }
    fn __sign_sha256(
        &self,
        digest: &[u8; 32],
        token: Token,
    ) -> Option<Result<Signature, SignError>> {
        let signed = self.signer().__sign_sha256(digest, token)?;
        Some(signed.and_then(|signature| {
            self.did.verifying_key().verify_sha256(digest, &signature)?;
            Ok(signature)
        }))
    }
    fn __takes_hashes(&self, token: Token) -> bool {
        self.signer().__takes_hashes(token)
    }
    fn __evidence(&self, token: Token) -> Option<&Evidence> {
        self.signer().__evidence(token)
    }
}

impl<S: DidSigner> Closed for IdentityBundle<S> {}
/// Of the key. Its companions are software keys in memory, whatever the key is.
#[diagnostic::do_not_recommend]
impl<S: DidSigner + Confined> Confined for IdentityBundle<S> {}
#[diagnostic::do_not_recommend]
impl<S: DidSigner + NeverExposed> NeverExposed for IdentityBundle<S> {}
