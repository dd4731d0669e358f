//! Why a message was not signed.

use std::error::Error as StdError;

use super::{DeviceError, Pkcs11Error, TpmError};
use crate::algorithm::BadSignature;

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
