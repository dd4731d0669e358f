//! Why a key could not be opened.

use std::error::Error as StdError;

use super::{DeviceError, FormatError, Pkcs11Error, SignError, TpmError, scrypt_memory};
use crate::algorithm::AlgorithmId;
use crate::did::Did;
use crate::evidence::{Assurance, Exposable, ProvenanceKind};
use crate::secret::{NoRandomness, TextProblem};

/// Why a key could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The passphrase does not open the age file.
    #[error("the passphrase does not open this key")]
    WrongPassphrase,
    /// The passphrase does not open the age file, and nobody can have typed it.
    #[error("the passphrase does not open this key: {problem}")]
    OddPassphrase {
        /// What it has that a person does not type.
        problem: TextProblem,
    },
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
    Payload(#[source] FormatError),
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
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// scrypt needs memory that the system does not give.
    #[error(
        "there is no memory for the passphrase: scrypt with the work 2^{log_n} needs {}",
        scrypt_memory(*log_n)
    )]
    NoMemory {
        /// log2 of the work.
        log_n: u8,
    },
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
                "check the passphrase (and the keyboard layout) and try again; if it \
                 is right, the file is damaged: restore it from a backup, if there is one"
            }
            Self::OddPassphrase { .. } => {
                "give the passphrase alone, on one line: without further lines, control characters, \
                 byte order mark and white space at its ends that is no blank, unless the file was \
                 encrypted with them"
            }
            Self::EmptyPassphrase => "give a passphrase of at least one character",
            Self::ExcessiveWork { .. } => {
                "a file of ours asks for 2^18: somebody may have replaced it; restore it from a \
                 backup, or raise `max_work_factor` under [identity.age] if you made it so"
            }
            Self::Damaged(_) | Self::Payload(_) => "restore it from a backup, if there is one",
            Self::NoSeed => "set `backend` under [identity] in icn.toml to the device's backend",
            Self::WrongKey { .. } => {
                "check that the configuration names the right token and key, and that the files \
                 are this identity's; nothing was signed"
            }
            Self::WrongProvenance { .. } => {
                "demand the provenance that the evidence shows, or generate a new key in the device"
            }
            Self::Exposable(_) => {
                "generate a new key in the device, sensitive and not extractable (`Backend::create` \
                 does)"
            }
            Self::NotItsKey => {
                "do not use this device: it signs with another key than it shows, or wrongly; find out \
                 why, then make a new key"
            }
            Self::Device(error) => return error.help(),
            Self::Challenge(error) => return error.help(),
            Self::NoRandomness(error) => return error.help(),
            Self::WrongAlgorithm { .. } => {
                "demand the algorithm that the key has, or name another key"
            }
            Self::NotSealedToTpm => {
                "open it as a key that is held by its device (`DidKey` takes any)"
            }
            Self::LessAssurance { .. } => {
                "find out whether the device or its driver was replaced; if you know by what, open \
                 the key anew"
            }
            Self::NoMemory { log_n } => {
                return Some(format!(
                    "allow this process {} more (`ulimit -v`, or `MemoryMax=` of its service); or, \
                     where there is that much, encrypt it anew with less work (`work_factor` under \
                     [identity.age], and a change of passphrase): each step less halves the memory, \
                     and what guessing costs",
                    scrypt_memory(*log_n)
                ));
            }
            Self::Encrypt(_) => "this should not be: report it, with the source of this error",
        };
        Some(help.to_owned())
    }
}

impl From<Pkcs11Error> for OpenError {
    fn from(error: Pkcs11Error) -> Self {
        Self::Device(error.into())
    }
}

impl From<TpmError> for OpenError {
    fn from(error: TpmError) -> Self {
        Self::Device(error.into())
    }
}
