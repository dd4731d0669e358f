//! Who can sign for a DID, and what is proven about where its key is.

#[cfg(feature = "signature")]
mod adapter;
mod read;

use std::sync::Arc;

#[cfg(feature = "signature")]
pub use self::adapter::AsSigner;
#[cfg(feature = "pkcs11")]
pub(crate) use self::read::{LARGE, room_for_module};
pub use self::read::{MAX_WHOLE, ReadForContext, ReadMessage};
use crate::algorithm::{Signature, VerifyingKey};
use crate::did::Did;
use crate::evidence::{Assurance, Evidence, ProvenanceKind, Requirement, Unmet};
use crate::fault::SignError;
use crate::private;
use crate::sshsig::{self, SshSignature};
use crate::statement::is_reserved;

/// A signer for one DID.
///
/// Anybody can implement it. Where its key is kept is **not** asked of the
/// implementor: [`DidSignerExt`] computes it from evidence that this crate
/// read, and there is none for a signer written elsewhere.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not sign for a DID",
    label = "expected an unlocked key, a bundle with one, or another `DidSigner`",
    note = "only `Key<P, Unlocked>` signs. Call `unlock(&passphrase)` on a `Locked` key, or \
            `unseal(&pin)` on a `Sealed` one. In generic code, add the bound `P: Provenance`",
    note = "take a value out of an `Option` or a `Result` first. For a type of your own, implement \
            `DidSigner`, or call `Key::<External, Unlocked>::from_external`"
)]
pub trait DidSigner: Send + Sync {
    /// The DID signed for.
    fn did(&self) -> &Did;

    /// The public key signed under.
    fn verifying_key(&self) -> &VerifyingKey;

    /// **Blocks** while a device signs. Signs exactly the bytes given (Ed25519: pure,
    /// RFC 8032).
    ///
    /// Every signer of this crate refuses messages that begin like the crate's own
    /// statements ([`crate::statement`]): whoever could have one signed, for
    /// example as a challenge, could be this DID for others. A signer written
    /// elsewhere is asked to sign such statements by this same method; it does well
    /// to refuse them when they come from others.
    ///
    /// # Errors
    ///
    /// [`SignError::Reserved`] for such a message, and [`SignError`] if the key or
    /// its device could not sign.
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError>;

    /// **Blocks** while a device signs. Signs a message for one context, so that the
    /// signature can be presented for no other: what applications want, where no
    /// protocol fixes the bytes.
    ///
    /// The context is OpenSSH's namespace: a name of your protocol, like
    /// `payments@coop.example` (1 to 1024 bytes of UTF-8, no control characters). It
    /// is verified by [`VerifyingKey::verify_for`], or by `ssh-keygen -Y verify -n
    /// CONTEXT`; see [`crate::sshsig`].
    ///
    /// # Errors
    ///
    /// [`SignError::InvalidContext`], and as [`Self::sign`].
    fn sign_for(&self, context: &str, message: &[u8]) -> Result<SshSignature, SignError> {
        sign_context(self, context, message)
    }

    /// Signs a statement that this crate has made. Cannot be overridden or called
    /// from outside, like [`Self::__evidence`].
    #[doc(hidden)]
    fn __sign_statement(
        &self,
        statement: &[u8],
        _: private::Token,
    ) -> Result<Signature, SignError> {
        self.sign(statement)
    }

    /// Whether no signature is given out but one that is known to verify under
    /// [`Self::verifying_key`], which cannot change. Cannot be overridden or called
    /// from outside either.
    #[doc(hidden)]
    fn __verifies(&self, _: private::Token) -> bool {
        false
    }

    /// Signs a SHA-256 as ECDSA does, where the key is a P-256 key that takes one.
    /// Cannot be overridden or called from outside either.
    #[doc(hidden)]
    fn __sign_sha256(
        &self,
        _digest: &[u8; 32],
        _: private::Token,
    ) -> Option<Result<Signature, SignError>> {
        None
    }

    /// Whether nobody wants to see the message that is signed for a context. Cannot be
    /// overridden or called from outside either.
    #[doc(hidden)]
    fn __takes_hashes(&self, _: private::Token) -> bool {
        false
    }

    /// Whether the key is another process', which says where it is. Cannot be overridden or
    /// called from outside either.
    #[doc(hidden)]
    fn __is_remote(&self, _: private::Token) -> bool {
        false
    }

    /// Evidence that this crate read. Cannot be overridden or called from
    /// outside: its argument's type cannot be named there.
    #[doc(hidden)]
    fn __evidence(&self, _: private::Token) -> Option<&Evidence> {
        None
    }
}

fn sign_context<S: DidSigner + ?Sized>(
    signer: &S,
    context: &str,
    message: &[u8],
) -> Result<SshSignature, SignError> {
    if !sshsig::is_context(context) {
        return Err(SignError::InvalidContext);
    }
    let signature = sign_statement(signer, &sshsig::signed_bytes(context, message))?;
    Ok(SshSignature::new(*signer.verifying_key(), context.to_owned(), signature))
}

/// Refuses what a caller must not have signed.
pub(crate) fn refuse_reserved(message: &[u8]) -> Result<(), SignError> {
    if is_reserved(message) { Err(SignError::Reserved) } else { Ok(()) }
}

/// Signs a statement of this crate, or a proof that it makes: never bytes that a
/// caller chose.
pub(crate) fn sign_statement<S: DidSigner + ?Sized>(
    signer: &S,
    statement: &[u8],
) -> Result<Signature, SignError> {
    signer.__sign_statement(statement, private::Token::new())
}

/// Whether a signature of this signer need not be verified once more.
pub(crate) fn verifies<S: DidSigner + ?Sized>(signer: &S) -> bool {
    signer.__verifies(private::Token::new())
}

/// What is known about where a signer's key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Custody {
    /// Our own code holds the key, or read the evidence from its device.
    Shown(ShownCustody),
    /// The key is another process', as that of a daemon: whatever that says of it, nothing is
    /// proven.
    Reported,
    /// The signer was written elsewhere. Whatever it says of itself, nothing
    /// is proven.
    Unproven,
}

/// What the evidence about a key shows. Had from [`DidSignerExt::custody`] only: there
/// is no constructor, no literal and no `Deserialize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownCustody {
    provenance: ProvenanceKind,
    assurance: Assurance,
}

impl ShownCustody {
    /// What the evidence says.
    #[must_use]
    pub const fn provenance(&self) -> ProvenanceKind {
        self.provenance
    }

    /// How much stands behind it.
    #[must_use]
    pub const fn assurance(&self) -> Assurance {
        self.assurance
    }
}

/// Custody, computed from evidence for every [`DidSigner`].
pub trait DidSignerExt: DidSigner {
    /// What is known about where the key is.
    fn custody(&self) -> Custody {
        match self.evidence() {
            Some(evidence) => Custody::Shown(ShownCustody {
                provenance: evidence.provenance(),
                assurance: evidence.assurance(),
            }),
            None if self.__is_remote(private::Token::new()) => Custody::Reported,
            None => Custody::Unproven,
        }
    }

    /// The provenance as a value; `External` where nothing is proven.
    fn provenance(&self) -> ProvenanceKind {
        self.evidence().map_or(ProvenanceKind::External, Evidence::provenance)
    }

    /// How much stands behind the evidence; [`Assurance::None`] where nothing is proven.
    /// [`Assurance::Attested`] of an `attestation::AttestedKey` alone.
    fn assurance(&self) -> Assurance {
        self.evidence().map_or(Assurance::None, Evidence::assurance)
    }

    /// Whether the key is in a device that says of itself that it is hardware.
    /// False for soft tokens, for keys sealed to a TPM (they sign in memory),
    /// and where nothing is proven.
    fn is_hardware_backed(&self) -> bool {
        self.evidence().is_some_and(|evidence| {
            evidence.provenance().is_confined() && evidence.assurance() >= Assurance::Claimed
        })
    }

    /// **Blocks** while a device signs. As [`DidSigner::sign`], of a message that was
    /// read: of a P-256 key its hash alone.
    ///
    /// # Errors
    ///
    /// As there; and [`SignError::WantsMessage`] if the signer does not sign a hash (one
    /// written elsewhere, or one that is observed): read it by [`ReadMessage::whole`].
    fn sign_read(&self, message: &ReadMessage) -> Result<Signature, SignError> {
        message.sign_by(self)
    }

    /// **Blocks** while a device signs. As [`DidSigner::sign_for`], of a message of any
    /// length that was read for that context.
    ///
    /// # Errors
    ///
    /// As there; and [`SignError::WantsMessage`] if the signer wants to see the message
    /// (one written elsewhere, or one that is observed), or if it was read to be
    /// verified.
    fn sign_read_for(&self, message: &ReadForContext) -> Result<SshSignature, SignError> {
        message.sign_by(self)
    }

    /// Borrows the signer for code that wants RustCrypto's `signature::Signer`.
    #[cfg(feature = "signature")]
    fn as_signer(&self) -> AsSigner<'_, Self> {
        AsSigner::new(self)
    }

    /// The evidence itself, if this crate read any.
    fn evidence(&self) -> Option<&Evidence> {
        self.__evidence(private::Token::new())
    }
}

impl<S: DidSigner + ?Sized> DidSignerExt for S {}

impl Requirement {
    /// Checks a signer against the demand, by the evidence that our code read.
    ///
    /// # Errors
    ///
    /// [`Unmet`] with the first demand that is not met.
    pub fn check<S: DidSigner + ?Sized>(&self, signer: &S) -> Result<(), Unmet> {
        self.met_by(signer.evidence())
    }
}

macro_rules! forward {
    ($($pointer:ty),+) => {$(
        #[diagnostic::do_not_recommend]
        impl<S: DidSigner + ?Sized> DidSigner for $pointer {
            fn did(&self) -> &Did {
                (**self).did()
            }
            fn verifying_key(&self) -> &VerifyingKey {
                (**self).verifying_key()
            }
            fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
                (**self).sign(message)
            }
            fn sign_for(&self, context: &str, message: &[u8]) -> Result<SshSignature, SignError> {
                (**self).sign_for(context, message)
            }
            fn __sign_statement(
                &self,
                statement: &[u8],
                token: private::Token,
            ) -> Result<Signature, SignError> {
                (**self).__sign_statement(statement, token)
            }
            fn __verifies(&self, token: private::Token) -> bool {
                (**self).__verifies(token)
            }
            fn __sign_sha256(
                &self,
                digest: &[u8; 32],
                token: private::Token,
            ) -> Option<Result<Signature, SignError>> {
                (**self).__sign_sha256(digest, token)
            }
            fn __takes_hashes(&self, token: private::Token) -> bool {
                (**self).__takes_hashes(token)
            }
            fn __is_remote(&self, token: private::Token) -> bool {
                (**self).__is_remote(token)
            }
            fn __evidence(&self, token: private::Token) -> Option<&Evidence> {
                (**self).__evidence(token)
            }
        }
    )+};
}

forward!(&S, Box<S>, Arc<S>);
