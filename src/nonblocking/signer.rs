//! A signer whose calls are awaited.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::pool::Pool;
use crate::algorithm::{Signature, VerifyingKey};
use crate::did::Did;
use crate::fault::SignError;
use crate::signer::{DidSigner, refuse_reserved};
use crate::sshsig::SshSignature;

/// A signer for async code: any [`DidSigner`], on threads of its own.
///
/// Clones share signer and threads. What happens to calls that wait, are dropped or
/// panic is in the [table of the module](super).
pub struct AsyncSigner<S: ?Sized> {
    signer: Arc<S>,
    pool: Pool,
}

impl<S: DidSigner + 'static> AsyncSigner<S> {
    /// A signer that signs at most so many messages at the same time, each on a thread
    /// of its own. For a token give as many as its pool has sessions: more would only
    /// wait there. The threads are started here.
    ///
    /// # Errors
    ///
    /// If the system starts no thread.
    pub fn new(signer: S, at_once: NonZeroUsize) -> io::Result<Self> {
        Self::shared(Arc::new(signer), at_once)
    }
}

impl<S: DidSigner + ?Sized + 'static> AsyncSigner<S> {
    /// As [`Self::new`], of a signer that others have as well.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn shared(signer: Arc<S>, at_once: NonZeroUsize) -> io::Result<Self> {
        Ok(Self { signer, pool: Pool::new("icn-sign", at_once)? })
    }

    /// Signs a message for one context; see [`DidSigner::sign_for`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// If the signer panics.
    pub async fn sign_for(
        &self,
        context: impl Into<String>,
        message: impl Into<Vec<u8>>,
    ) -> Result<SshSignature, SignError> {
        let (context, message) = (context.into(), message.into());
        self.with(move |signer| signer.sign_for(&context, &message)).await
    }

    /// Signs exactly the bytes given; see [`DidSigner::sign`].
    ///
    /// # Errors
    ///
    /// As there; [`SignError::Reserved`] whoever the signer is.
    ///
    /// # Panics
    ///
    /// If the signer panics.
    pub async fn sign(&self, message: impl Into<Vec<u8>>) -> Result<Signature, SignError> {
        let message = message.into();
        // The signer may be written elsewhere.
        refuse_reserved(&message)?;
        self.with(move |signer| signer.sign(&message)).await
    }

    /// Does something else with the signer that blocks, like the renewal of a bundle,
    /// in its turn.
    ///
    /// # Panics
    ///
    /// If the work panics.
    pub async fn with<T: Send + 'static>(&self, work: impl FnOnce(&S) -> T + Send + 'static) -> T {
        let signer = Arc::clone(&self.signer);
        self.pool.run(move || work(&signer)).await
    }

    /// The signer itself, whose calls **block**.
    #[must_use]
    pub const fn signer(&self) -> &Arc<S> {
        &self.signer
    }

    /// The DID signed for.
    #[must_use]
    pub fn did(&self) -> &Did {
        self.signer.did()
    }

    /// The public key signed under.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.signer.verifying_key()
    }
}

impl<S: ?Sized> Clone for AsyncSigner<S> {
    fn clone(&self) -> Self {
        Self { signer: Arc::clone(&self.signer), pool: self.pool.clone() }
    }
}

impl<S: DidSigner + ?Sized> fmt::Debug for AsyncSigner<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSigner").field("did", self.signer.did()).finish_non_exhaustive()
    }
}
