//! A signer behind a daemon.

use std::fmt;

use super::RemoteIdentity;
use crate::algorithm::{Signature, VerifyingKey};
use crate::client::ClientError;
use crate::did::Did;
use crate::fault::SignError;
use crate::private::Token;
use crate::signer::DidSigner;
use crate::sshsig::SshSignature;

/// Signs by a daemon that has the key.
///
/// Its custody is [`Custody::Reported`](crate::Custody::Reported): where the daemon's key is,
/// nothing proves. It has none of the markers of keys, and signs no statement of this crate:
/// no bundle and no rotation is made by it. Each signature is verified before it is given out.
#[derive(Clone)]
pub struct RemoteSigner(RemoteIdentity);

impl RemoteSigner {
    pub(super) const fn new(identity: RemoteIdentity) -> Self {
        Self(identity)
    }

    /// The identity.
    #[must_use]
    pub const fn identity(&self) -> &RemoteIdentity {
        &self.0
    }
}

impl DidSigner for RemoteSigner {
    fn did(&self) -> &Did {
        self.0.did()
    }

    fn verifying_key(&self) -> &VerifyingKey {
        self.0.verifying_key()
    }

    /// By [`RemoteIdentity::sign_raw`]; what the daemon says is in [`SignError::Remote`].
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        self.0.sign_raw(message).map_err(ClientError::into_sign_error)
    }

    /// By [`RemoteIdentity::sign_for`].
    fn sign_for(&self, context: &str, message: &[u8]) -> Result<SshSignature, SignError> {
        self.0.sign_for(context, message).map_err(ClientError::into_sign_error)
    }

    fn __sign_statement(&self, _: &[u8], _: Token) -> Result<Signature, SignError> {
        Err(SignError::Reserved)
    }

    fn __verifies(&self, _: Token) -> bool {
        true
    }

    fn __is_remote(&self, _: Token) -> bool {
        true
    }
}

impl fmt::Debug for RemoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteSigner").field(&self.0).finish()
    }
}
