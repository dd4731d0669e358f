//! A signer with somebody who looks on: for metrics, audits and limits.

use std::error::Error as StdError;
use std::fmt;

use super::{Confined, NeverExposed};
use crate::algorithm::{Signature, VerifyingKey};
use crate::did::Did;
use crate::evidence::Evidence;
use crate::fault::SignError;
use crate::private::{Closed, Token};
use crate::signer::{DidSigner, refuse_reserved};
use crate::sshsig::SshSignature;

/// What a signer is about to sign, or has signed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Signing<'a> {
    /// The DID signed for.
    pub did: &'a Did,
    /// What the signature is for.
    pub purpose: SigningPurpose<'a>,
    /// The message. Of a statement of this crate, its bytes.
    pub message: &'a [u8],
}

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SigningPurpose<'a> {
    /// Exactly these bytes: [`DidSigner::sign`].
    Message,
    /// This context: [`DidSigner::sign_for`].
    Context(&'a str),
    /// A statement that this crate made: a binding, a rotation, a backup, a document, a
    /// challenge.
    Statement,
}

/// Looks on when a key signs, and may refuse it.
///
/// Called by the thread that signs, which waits. It sees what is signed and not the
/// key.
pub trait SigningObserver: Send + Sync {
    /// Before the signer is asked. What it returns as an error refuses the signature:
    /// a limit that is reached, an audit that cannot be written.
    ///
    /// # Errors
    ///
    /// Whatever is the reason to refuse; it becomes the source of
    /// [`SignError::Refused`].
    fn before(&self, signing: &Signing<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let _ = signing;
        Ok(())
    }

    /// After the signer was asked: `None` if it has signed, else why it has not.
    fn after(&self, signing: &Signing<'_>, failed: Option<&SignError>) {
        let _ = (signing, failed);
    }
}

/// A signer with an observer, for code around a key of this crate.
///
/// Unlike a wrapper written elsewhere it passes evidence and markers on, and can issue
/// bundles and rotations: the observer sees those statements, too. As every signer of
/// this crate it refuses such statements when they come from others
/// ([`SignError::Reserved`]), whoever the signer is.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use icn_identity::error::SignError;
/// use icn_identity::key::{Observed, Signing, SigningObserver};
/// use icn_identity::{DidSigner as _, Key, Software, Unlocked};
///
/// #[derive(Default)]
/// struct Count(AtomicU64);
///
/// impl SigningObserver for Count {
///     fn after(&self, _: &Signing<'_>, failed: Option<&SignError>) {
///         self.0.fetch_add(u64::from(failed.is_none()), Ordering::Relaxed);
///     }
/// }
///
/// let signer = Observed::new(Key::<Software, Unlocked>::generate()?, Count::default());
/// signer.sign(b"hello")?;
/// assert_eq!(signer.observer().0.load(Ordering::Relaxed), 1);
/// # Ok::<(), icn_identity::Error>(())
/// ```
#[must_use = "dropping a key closes it"]
pub struct Observed<S, O> {
    signer: S,
    observer: O,
}

impl<S, O> Observed<S, O> {
    /// Puts an observer beside a signer.
    pub const fn new(signer: S, observer: O) -> Self {
        Self { signer, observer }
    }

    /// The observer.
    pub const fn observer(&self) -> &O {
        &self.observer
    }

    /// The signer. What it signs by itself is not observed.
    pub const fn signer(&self) -> &S {
        &self.signer
    }

    /// The signer and the observer.
    pub fn into_parts(self) -> (S, O) {
        (self.signer, self.observer)
    }
}

impl<S: DidSigner, O: SigningObserver> Observed<S, O> {
    fn observed<T>(
        &self,
        purpose: SigningPurpose<'_>,
        message: &[u8],
        sign: impl FnOnce(&S) -> Result<T, SignError>,
    ) -> Result<T, SignError> {
        let signing = Signing { did: self.signer.did(), purpose, message };
        let signed = match self.observer.before(&signing) {
            Ok(()) => sign(&self.signer),
            Err(reason) => Err(SignError::Refused(reason)),
        };
        self.observer.after(&signing, signed.as_ref().err());
        signed
    }
}

impl<S: DidSigner, O: SigningObserver> DidSigner for Observed<S, O> {
    fn did(&self) -> &Did {
        self.signer.did()
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.signer.verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        self.observed(SigningPurpose::Message, message, |signer| {
            // The signer may be written elsewhere. The observer sees the attempt.
            refuse_reserved(message)?;
            signer.sign(message)
        })
    }
    fn sign_for(&self, context: &str, message: &[u8]) -> Result<SshSignature, SignError> {
        self.observed(SigningPurpose::Context(context), message, |signer| {
            signer.sign_for(context, message)
        })
    }
    fn __sign_statement(&self, statement: &[u8], token: Token) -> Result<Signature, SignError> {
        self.observed(SigningPurpose::Statement, statement, |signer| {
            signer.__sign_statement(statement, token)
        })
    }
    fn __verifies(&self, token: Token) -> bool {
        self.signer.__verifies(token)
    }
    fn __is_remote(&self, token: Token) -> bool {
        self.signer.__is_remote(token)
    }
    fn __evidence(&self, token: Token) -> Option<&Evidence> {
        self.signer.__evidence(token)
    }
}

impl<S, O> Closed for Observed<S, O> {}
#[diagnostic::do_not_recommend]
impl<S: Confined, O> Confined for Observed<S, O> {}
#[diagnostic::do_not_recommend]
impl<S: NeverExposed, O> NeverExposed for Observed<S, O> {}

impl<S: fmt::Debug, O> fmt::Debug for Observed<S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("signer", &self.signer).finish_non_exhaustive()
    }
}
