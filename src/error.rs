//! Errors: what failed, and by [`Error::help`] what to do next.
//!
//! `Display` of each type prints its own layer; the cause is in `source()`.
//! No error holds a PIN, a passphrase or a seed.

mod backup;
mod device;
mod export;
mod io;
mod keystore;
mod legacy;
mod tpm;

use std::error::Error as StdError;

pub use backup::BackupError;
pub use device::DeviceError;
pub use export::ExportError;
pub(crate) use io::quoted;
pub use keystore::KeystoreError;
pub use legacy::{FieldProblem, LegacyError};
pub use tpm::{PcrDifference, TpmError};

use crate::algorithm::{AlgorithmId, BadSignature, InvalidVerifyingKey};
use crate::bundle::{BundleError, DecryptError, NotContributory};
use crate::config::ConfigError;
use crate::did::{Did, InvalidDid, InvalidDocument};
use crate::evidence::{Assurance, Exposable, ProvenanceKind, Unmet};
use crate::key::WrongProvenance;
use crate::rotation::RotationError;

/// Any error of this crate.
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
    #[error("the system's random generator failed")]
    NoRandomness(#[from] getrandom::Error),
}

impl Error {
    /// What to try next, in a sentence, where there is something to try.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Open(error) => error.help(),
            Self::Sign(SignError::Device(error)) | Self::Device(error) => error.help(),
            Self::Sign(SignError::BadSignature(_)) => Some(
                "do not trust this device until you know why: run `icnctl id show` and compare \
                 its key, then ask its maker"
                    .into(),
            ),
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
                "give a DID like did:icn:z6… or did:key:z6Mk…, exactly as `icnctl id show` prints it"
                    .into(),
            ),
            _ => None,
        }
    }

    /// Whether a token refused the PIN that was given.
    #[must_use]
    pub fn is_wrong_pin(&self) -> bool {
        match self {
            Self::Open(
                OpenError::Device(error) | OpenError::Challenge(SignError::Device(error)),
            )
            | Self::Device(error)
            | Self::Sign(SignError::Device(error)) => error.is_wrong_pin(),
            _ => false,
        }
    }

    /// Whether a passphrase or PIN was refused, now or before, or not sent for
    /// the sake of the token's last try: trying again with the same one is of
    /// no use, and may lock the token. A service must not be restarted for it.
    #[must_use]
    pub fn is_wrong_credential(&self) -> bool {
        match self {
            Self::Open(OpenError::WrongPassphrase)
            | Self::Backup(BackupError::KeyFilePassphrase { .. })
            | Self::Keystore(KeystoreError::RefusedBefore { .. }) => true,
            Self::Open(
                OpenError::Device(error) | OpenError::Challenge(SignError::Device(error)),
            )
            | Self::Device(error)
            | Self::Sign(SignError::Device(error))
            | Self::Rotation(RotationError::Sign { source: SignError::Device(error), .. }) => {
                error.is_wrong_pin() || error.is_final_try()
            }
            _ => false,
        }
    }
}

/// Why a key could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The passphrase does not open the age file.
    #[error("the passphrase does not open this key")]
    WrongPassphrase,
    /// An empty passphrase protects nothing.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// The age file asks for more scrypt work than is allowed.
    #[error("the key file asks for scrypt work 2^{required}, more than the limit 2^{limit}")]
    ExcessiveWork {
        /// log2 of the work that the file asks for.
        required: u8,
        /// log2 of the work that is allowed.
        limit: u8,
    },
    /// The age file cannot be read.
    #[error("the age file is damaged, or was made for another credential")]
    Damaged(#[source] Box<dyn StdError + Send + Sync>),
    /// The decrypted payload cannot be read.
    #[error("the payload of the age file cannot be read")]
    Payload(#[source] KeystoreError),
    /// The age file holds no seed: it belongs to a key in a device.
    #[error("the age file holds no seed: this identity's key is in a device")]
    NoSeed,
    /// Another key is there than the one that was expected.
    #[error("expected the key of {expected}, found the key of {found}")]
    WrongKey {
        /// Whose key was expected.
        expected: Did,
        /// Whose key is there.
        found: Did,
    },
    /// The evidence does not bear out the demanded type.
    #[error("a {demanded} key was demanded, the evidence shows {found}")]
    WrongProvenance {
        /// What the type demanded.
        demanded: ProvenanceKind,
        /// What the evidence shows.
        found: ProvenanceKind,
    },
    /// The key is of another algorithm than the type.
    #[error("a key of {demanded} was demanded, this one is of {found}")]
    WrongAlgorithm {
        /// What the type demanded.
        demanded: AlgorithmId,
        /// What the key is.
        found: AlgorithmId,
    },
    /// A key sealed to a TPM was demanded, and this one is held by a device.
    #[error("a tpm-sealed key was demanded, this one is held by a device")]
    NotSealedToTpm,
    /// Less stands behind the evidence than when the key was opened.
    #[error("the assurance was {was}, and is {now}")]
    LessAssurance {
        /// What it was.
        was: Assurance,
        /// What it is.
        now: Assurance,
    },
    /// The device would hand the private key out.
    #[error("the key is not confined to its device")]
    Exposable(#[from] Exposable),
    /// The challenge could not be signed.
    #[error("the key could not sign a challenge")]
    Challenge(#[source] SignError),
    /// The challenge's signature does not verify under the public key shown.
    #[error("the private key does not belong to the public key that is shown for it")]
    NotItsKey,
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The system's random generator failed.
    #[error("the system's random generator failed")]
    NoRandomness(#[source] getrandom::Error),
    /// Encryption failed.
    #[error("the key could not be encrypted")]
    Encrypt(#[source] Box<dyn StdError + Send + Sync>),
}

impl OpenError {
    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::WrongPassphrase => {
                "check the passphrase (and the keyboard layout) and run the command again; if it \
                 is right, the file is damaged: restore identity.age from a backup"
            }
            Self::EmptyPassphrase => "give a passphrase of at least one character",
            Self::ExcessiveWork { .. } => {
                "a file of ours asks for 2^18: somebody may have replaced it; restore it from a \
                 backup, or raise `max_work_factor` under [identity.age] if you made it so"
            }
            Self::Damaged(_) | Self::Payload(_) => "restore identity.age from a backup",
            Self::NoSeed => "set `backend` under [identity] in icn.toml to the device's backend",
            Self::WrongKey { .. } => {
                "check that the configuration names the right token and key, and that the files \
                 are this identity's; nothing was signed"
            }
            Self::WrongProvenance { .. } => {
                "demand the provenance that the evidence shows, or generate a new key in the device"
            }
            Self::Exposable(_) => {
                "generate a new key in the device, sensitive and not extractable (`icnctl id init \
                 --backend pkcs11` does)"
            }
            Self::NotItsKey => {
                "the token pairs a wrong public key with this private key: remove the stray public \
                 object, or generate a new key"
            }
            Self::Device(error) => return error.help(),
            Self::Challenge(SignError::Device(error)) => return error.help(),
            _ => return None,
        };
        Some(help.to_owned())
    }
}

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
