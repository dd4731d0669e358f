//! Why a message was not signed.

use std::error::Error as StdError;
use std::io;

use super::{DeviceError, Pkcs11Error, TpmError};
use crate::algorithm::BadSignature;
use crate::kind::ErrorKind;

/// Why a message was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The device failed.
    #[error("the device could not sign")]
    Device(#[source] DeviceError),
    /// A signature came back that does not verify under the pinned key. It was
    /// not given out.
    #[error("the signer returned a signature that does not verify under its key")]
    BadSignature(#[from] BadSignature),
    /// The foreign signer failed.
    #[error("the external signer failed")]
    External(#[source] Box<dyn StdError + Send + Sync>),
    /// The message begins like something that this crate signs itself
    /// ([`statement::RESERVED`](crate::statement::RESERVED)). Signed, it could be
    /// presented as that: as a binding of somebody else's TLS key, as a rotation to
    /// somebody else's key, or as a signature for a context. The signer was not
    /// asked.
    #[error(
        "the message was not signed: it begins with \"icn-identity/\" or \"SSHSIG\", as what \
         this library signs itself does"
    )]
    Reserved,
    /// A signer in another process did not sign.
    #[error("the signer in another process did not sign")]
    Remote {
        /// What it means for the program.
        kind: ErrorKind,
        /// What to try next.
        help: Option<String>,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// An observer refused the signature ([`Observed`](crate::key::Observed)). The
    /// signer was not asked.
    #[error("the signature was refused by an observer of this key")]
    Refused(#[source] Box<dyn StdError + Send + Sync>),
    /// The context is empty, longer than 1024 bytes, or has control characters.
    #[error("the context was not signed for: expected 1 to 1024 bytes without control characters")]
    InvalidContext,
    /// The message could not be read.
    #[error("the message could not be read")]
    Unread(#[source] io::Error),
    /// The message is longer than one that is signed in memory.
    #[error(
        "the message is longer than {} MiB: Ed25519 signs a message as a whole, in memory",
        limit >> 20
    )]
    TooLong {
        /// Bytes.
        limit: u64,
    },
    /// There is no memory for the message.
    #[error(
        "the system has no memory for the message: {} MiB were asked for. Ed25519 signs it as a \
         whole, in memory",
        bytes.div_ceil(1 << 20)
    )]
    NoMemory {
        /// Bytes that were wanted: the length of a file; or, of a message whose length was not
        /// known, twice what was read so far.
        bytes: u64,
    },
    /// A PKCS#11 module copies the message, and there may be no memory for that. It was not
    /// asked.
    #[error(
        "a PKCS#11 module may need {} MiB more to sign this message, and the system has not so \
         much: it was not asked. Ed25519 signs a message as a whole, in memory",
        bytes.div_ceil(1 << 20)
    )]
    NoMemoryForModule {
        /// Bytes beside the message.
        bytes: u64,
    },
    /// The signer signs no hash, and was given one.
    #[error("this signer wants the message itself, and was given its hash")]
    WantsMessage,
}

impl SignError {
    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Device(error) => error.help(),
            Self::BadSignature(_) => Some(
                "do not trust this device until you know why: compare its key with the DID that \
                 you know, then ask its maker"
                    .into(),
            ),
            Self::Reserved => Some(
                "sign it for a context (`sign_for`); to make a bundle or a rotation, pass the \
                 key itself and not a wrapper that calls its `sign`"
                    .into(),
            ),
            Self::InvalidContext => {
                Some("give a name of your protocol, like `payments@coop.example`".into())
            }
            Self::Unread(_) => Some("see why: it is the source of this error".into()),
            Self::TooLong { .. } | Self::NoMemory { .. } | Self::NoMemoryForModule { .. } => Some(
                "sign it for a context (`ReadForContext`) or with a P-256 key: both sign a hash, \
                 whatever the length"
                    .into(),
            ),
            Self::WantsMessage => {
                Some("read it into memory (`ReadMessage::whole`), or call `sign_for`".into())
            }
            Self::External(_) => {
                Some("see what that signer says: it is the source of this error".into())
            }
            Self::Remote { help, .. } => help.clone(),
            Self::Refused(_) => {
                Some("see why the observer refused: it is the source of this error".into())
            }
        }
    }
}

impl From<Pkcs11Error> for SignError {
    fn from(error: Pkcs11Error) -> Self {
        Self::Device(error.into())
    }
}

impl From<TpmError> for SignError {
    fn from(error: TpmError) -> Self {
        Self::Device(error.into())
    }
}
