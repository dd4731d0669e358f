//! Errors: what failed, and by [`Error::help`] what to do next.
//!
//! `Display` of each type prints its own layer; the cause is in `source()`.
//! No error holds a PIN, a passphrase or a seed.

mod backup;
mod export;
mod legacy;
#[cfg(test)]
mod tests;

pub use backup::BackupError;
pub use export::ExportError;
pub use legacy::{FieldProblem, LegacyError};

use crate::algorithm::{BadSignature, InvalidVerifyingKey};
use crate::bundle::{BundleError, DecryptError, NotContributory};
use crate::config::ConfigError;
use crate::did::{InvalidDid, InvalidDocument};
pub use crate::encoding::UnknownName;
use crate::evidence::Unmet;
pub use crate::fault::{
    DeviceError, FormatError, KeystoreError, OpenError, PcrDifference, Pkcs11Error, SignError,
    TpmError,
};
use crate::key::{Refused, WrongProvenance};
use crate::rotation::RotationError;
use crate::secret::NoRandomness;

/// Any error of this crate: the sum of the errors of its parts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A key could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A device failed outside opening and signing.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The files of an identity.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// A backup of an identity.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// An older file was not imported.
    #[error(transparent)]
    Legacy(#[from] LegacyError),
    /// A private key was not exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A bundle could not be made or does not verify.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// An age file was not decrypted.
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
    /// Nothing was agreed on with a peer's X25519 key.
    #[error(transparent)]
    Agreement(#[from] NotContributory),
    /// A DID document is not valid.
    #[error(transparent)]
    Document(#[from] InvalidDocument),
    /// A rotation could not be stated, or does not verify.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// `icn.toml`.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A text is no DID.
    #[error(transparent)]
    Did(#[from] InvalidDid),
    /// A text is not the name of a provenance, an assurance or an algorithm.
    #[error(transparent)]
    Name(#[from] UnknownName),
    /// Bytes are no public key.
    #[error(transparent)]
    VerifyingKey(#[from] InvalidVerifyingKey),
    /// A signature does not verify.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// A key is of another provenance.
    #[error(transparent)]
    Provenance(#[from] WrongProvenance),
    /// A requirement is not met.
    #[error(transparent)]
    Requirement(#[from] Unmet),
    /// The system's random generator failed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl Error {
    /// What to try next, in a sentence, where there is something to try.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Open(error) => error.help(),
            Self::Sign(error) => error.help(),
            Self::Device(error) => error.help(),
            Self::Keystore(error) => error.help(),
            Self::Backup(error) => error.help(),
            Self::Legacy(error) => error.help(),
            Self::Export(error) => error.help(),
            Self::Bundle(error) => error.help(),
            Self::Decrypt(error) => error.help(),
            Self::Document(error) => error.help(),
            Self::Rotation(error) => error.help(),
            Self::Config(error) => error.help(),
            Self::Did(_) => Some(
                "give a DID like did:icn:z… or did:key:z6Mk…, exactly as its owner gave it".into(),
            ),
            _ => None,
        }
    }

    /// What a device said, if that is the reason: also where an opening, a
    /// signature, a bundle, a rotation or a backup failed for it.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceError> {
        match self {
            Self::Device(error) => Some(error.innermost()),
            Self::Open(error) => error.device(),
            Self::Sign(error) => error.device(),
            Self::Bundle(error) => error.device(),
            Self::Keystore(error) => error.device(),
            Self::Rotation(RotationError::Sign { source, .. }) => source.device(),
            Self::Backup(error) => error.inner()?.device(),
            _ => None,
        }
    }

    /// Whether a token or TPM refused the PIN that was given.
    #[must_use]
    pub fn is_wrong_pin(&self) -> bool {
        self.device().is_some_and(DeviceError::is_wrong_pin)
    }

    /// Whether a passphrase or PIN was refused, now or before, or not sent for
    /// the sake of the token's last try: trying again with the same one is of
    /// no use, and may lock the token. A service must not be restarted for it.
    #[must_use]
    pub fn is_wrong_credential(&self) -> bool {
        let refused = match self {
            Self::Open(OpenError::WrongPassphrase)
            | Self::Backup(BackupError::KeyFilePassphrase { .. })
            | Self::Keystore(KeystoreError::RefusedBefore { .. }) => true,
            Self::Backup(error) => error.inner().is_some_and(Self::is_wrong_credential),
            _ => false,
        };
        let by_device = |error: &DeviceError| error.is_wrong_pin() || error.is_final_try();
        refused || self.device().is_some_and(by_device)
    }
}

impl From<FormatError> for Error {
    fn from(error: FormatError) -> Self {
        Self::Keystore(error.into())
    }
}

impl From<Pkcs11Error> for Error {
    fn from(error: Pkcs11Error) -> Self {
        Self::Device(error.into())
    }
}

impl From<TpmError> for Error {
    fn from(error: TpmError) -> Self {
        Self::Device(error.into())
    }
}

/// Drops the key, and keeps the reason.
impl<K, E: Into<Self>> From<Refused<K, E>> for Error {
    fn from(refused: Refused<K, E>) -> Self {
        refused.into_parts().1.into()
    }
}
