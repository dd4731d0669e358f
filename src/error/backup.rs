//! What can go wrong with a backup.

use std::error::Error as StdError;
use std::path::PathBuf;

use super::{DeviceError, Error, FormatError, KeystoreError, OpenError, Pkcs11Error, TpmError};
use crate::did::Did;
use crate::kind::{ErrorKind, explain};

/// Why a backup was not made, not opened, or not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A backup that nobody could open.
    #[error("the backup has no recipient")]
    NoRecipient,
    /// The text is no X25519 recipient of age v1.
    #[error("{} is no age recipient: {reason}", given.as_deref().unwrap_or("what was given"))]
    NotARecipient {
        /// What was given, if it looks like a recipient; anything else could be
        /// a secret, and is not repeated.
        given: Option<String>,
        /// Why it is none.
        reason: &'static str,
    },
    /// The secret key was given in the place of the recipient. It is not
    /// repeated.
    #[error("the recipient that was given is a secret key, or has one in it")]
    SecretAsRecipient,
    /// The recipient is the identity's own X25519 key, which is lost with it.
    #[error("the recipient is the key of this very identity, and is lost when the identity is")]
    OwnRecipient,
    /// A file of this name is there.
    #[error("{} already exists", path.display())]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// No file can be made in the directory that was named.
    #[error("no file can be made in {}", directory.display())]
    NoPlace {
        /// The directory.
        directory: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What was written is not what is there.
    #[error("{} did not read back as it was written", path.display())]
    ReadBack {
        /// The file.
        path: PathBuf,
    },
    /// The file with the recovery key cannot be used.
    #[error("the age identity file {} cannot be used", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why. It never quotes the file.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The file has no key in it.
    #[error("the age identity file {} has no key in it", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The file with the recovery key is encrypted with a passphrase.
    #[error("the age identity file {} wants a passphrase", path.display())]
    KeyFileLocked {
        /// The file.
        path: PathBuf,
    },
    /// The file was encrypted to a key, as a backup is: no passphrase opens it.
    #[error("{} is encrypted to a key, so it is not the file of a recovery key", path.display())]
    KeyFileEncrypted {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase does not open the file with the recovery key.
    #[error("the passphrase does not open the age identity file {}", path.display())]
    KeyFilePassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The backup was made for other keys.
    #[error("this key does not open the backup: it was made for another one")]
    OtherKey,
    /// The file is no age file, or a damaged one.
    #[error("the backup is damaged or cut off, or is no age file")]
    Damaged(#[source] Box<dyn StdError + Send + Sync>),
    /// The file is an age file in ASCII armor, and a backup is read as a binary one.
    #[error("the backup is armored: an age file that was turned into text, and not a binary one")]
    Armored,
    /// The file was not encrypted with age at all, so it is no backup.
    #[error("this file is not a backup: it is {looks}, not an age file")]
    NotAge {
        /// What it looks like.
        looks: &'static str,
    },
    /// The file was encrypted with a passphrase, as `identity.age` is.
    #[error("this file is not a backup: it is encrypted with a passphrase, not to a recovery key")]
    PassphraseFile,
    /// The file has public keys, and no secret one.
    #[error("{} has a public key ({kind}) in it, and no secret one", path.display())]
    PublicKeyFile {
        /// The file.
        path: PathBuf,
        /// How the key begins.
        kind: &'static str,
    },
    /// The decrypted file is no backup.
    #[error("what is in the age file is not a backup: {reason}")]
    NotABackup {
        /// What is wrong with it.
        reason: &'static str,
        /// Why, where more can be said. It never quotes the contents.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The contents were not signed by the DID's key.
    #[error("the backup was not signed by the key of {did}, whose it says it is")]
    Signature {
        /// Whose it says it is.
        did: Did,
    },
    /// The parts of the backup do not belong together.
    #[error("the backup's {what} is not that of {did}")]
    Inconsistent {
        /// Which part.
        what: &'static str,
        /// Whose the backup is.
        did: Did,
        /// Why, where more can be said.
        #[source]
        source: Option<Box<Error>>,
    },
    /// The backup is of another DID.
    #[error("the backup is of {found}, not of {expected}")]
    OtherDid {
        /// Who was named.
        expected: Did,
        /// Whose it is.
        found: Did,
    },
    /// Nobody has said whose backup it should be.
    #[error("the backup says that it is of {found}, and nothing here says that this is the one")]
    NotNamed {
        /// Whose it is.
        found: Did,
    },
    /// The key is in a device, and cannot be had there.
    #[error("the key of {did} is not in this backup: it was in {place}, and cannot be had there")]
    KeyNotThere {
        /// Whose key.
        did: Did,
        /// The device that had it.
        place: String,
        /// What the device, or its absence, said.
        #[source]
        source: Box<Error>,
    },
}

impl From<FormatError> for BackupError {
    fn from(error: FormatError) -> Self {
        KeystoreError::from(error).into()
    }
}

explain!(BackupError);

impl BackupError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoRecipient
            | Self::NotARecipient { .. }
            | Self::SecretAsRecipient
            | Self::OwnRecipient
            | Self::NoKey { .. }
            | Self::KeyFileEncrypted { .. }
            | Self::Armored
            | Self::NotAge { .. }
            | Self::PassphraseFile
            | Self::PublicKeyFile { .. }
            | Self::NotNamed { .. } => ErrorKind::InvalidInput,
            Self::FileExists { .. } => ErrorKind::AlreadyExists,
            Self::NoPlace { source, .. } => ErrorKind::of_io(source),
            Self::ReadBack { .. } => ErrorKind::Io,
            Self::KeyFile { source, .. } => kind_of(&**source, ErrorKind::InvalidInput),
            Self::KeyFileLocked { .. } => ErrorKind::CredentialMissing,
            Self::KeyFilePassphrase { .. } => ErrorKind::WrongCredential,
            Self::OtherKey | Self::OtherDid { .. } => ErrorKind::OtherIdentity,
            Self::Damaged(_) | Self::NotABackup { source: None, .. } => ErrorKind::Damaged,
            Self::NotABackup { source: Some(source), .. } => kind_of(&**source, ErrorKind::Damaged),
            Self::Signature { .. } | Self::Inconsistent { .. } => ErrorKind::Untrusted,
            Self::KeyNotThere { source, .. } => source.kind(),
        }
    }

    /// The error that is the reason, where it is one of this crate.
    pub(super) fn inner(&self) -> Option<&Error> {
        match self {
            Self::Inconsistent { source, .. } => source.as_deref(),
            Self::KeyNotThere { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Whether the key is gone from where it was; everything else may pass, and
    /// is said as it is.
    pub(crate) fn key_is_not_there(error: &Error) -> bool {
        let (Error::Device(device) | Error::Open(OpenError::Device(device))) = error else {
            return false;
        };
        matches!(
            device,
            DeviceError::Pkcs11(
                Pkcs11Error::NoToken { .. }
                    | Pkcs11Error::OtherSerial { .. }
                    | Pkcs11Error::NotConfiguredToken { .. }
                    | Pkcs11Error::NoKey { .. }
                    | Pkcs11Error::NotFound { .. }
                    | Pkcs11Error::KeyReplaced { .. }
                    | Pkcs11Error::KeyNotShown { .. }
                    | Pkcs11Error::NoPublicKey { .. }
                    | Pkcs11Error::HalfElsewhere { .. }
            ) | DeviceError::Tpm(
                TpmError::NoDevice { .. }
                    | TpmError::OtherTpm { .. }
                    | TpmError::ParentChanged { .. }
                    | TpmError::NoParent { .. }
                    | TpmError::Damaged { .. }
            )
        )
    }

    /// Whether it is only the persistent storage key of a TPM that is not at its handle:
    /// that can be made again.
    #[doc(hidden)]
    #[must_use]
    pub const fn storage_key_let_go(source: &Error) -> bool {
        let (Error::Device(device) | Error::Open(OpenError::Device(device))) = source else {
            return false;
        };
        matches!(
            device,
            DeviceError::Tpm(TpmError::ParentChanged { .. } | TpmError::NoParent { .. })
        )
    }

    /// Where the key may be all the same, as a sentence. There is no identity yet, and
    /// perhaps no configuration, that other advice is about.
    #[doc(hidden)]
    #[must_use]
    pub fn where_it_may_be(source: &Error) -> Option<String> {
        let advice = match source.device()? {
            DeviceError::Pkcs11(Pkcs11Error::KeyNotShown { .. }) => {
                "Another token may have its label and serial number; if it is that very one and its \
                 public key was deleted, write that to it again by its own tool."
            }
            DeviceError::Pkcs11(
                Pkcs11Error::NoPublicKey { .. } | Pkcs11Error::HalfElsewhere { .. },
            ) => {
                "The token has the private key: write its public key to it again, with the same id, \
                 by its own tool."
            }
            DeviceError::Pkcs11(
                Pkcs11Error::NoToken { renamed: Some(label), .. }
                | Pkcs11Error::NotConfiguredToken { renamed: Some(label), .. },
            ) => {
                return Some(format!(
                    "The token of its serial number is labelled {label:?} now: it may have the key."
                ));
            }
            DeviceError::Pkcs11(Pkcs11Error::NoToken { present, .. }) if present.is_empty() => {
                "The module shows no token at all: one in software wants the variable that names its \
                 own configuration (as SOFTHSM2_CONF), also for a service and under sudo."
            }
            DeviceError::Pkcs11(Pkcs11Error::OtherSerial { .. }) => {
                "The token of its label has another serial number: if it was initialised anew, put \
                 the token's own backup back."
            }
            DeviceError::Pkcs11(Pkcs11Error::NotConfiguredToken { .. }) => {
                "The configuration names another token than the backup: correct it, if it is about \
                 another key."
            }
            DeviceError::Tpm(TpmError::NoDevice { .. }) => {
                "If it is in this machine, see that the firmware has it enabled and its driver is \
                 loaded; if it is another device than the backup says, write a configuration with \
                 its `device_path` under [identity.tpm] first."
            }
            _ => return None,
        };
        Some(advice.to_owned())
    }

    /// Whether its device is a token, whose key may have been copied to another one.
    #[doc(hidden)]
    #[must_use]
    pub fn is_of_token(source: &Error) -> bool {
        !matches!(source.device(), Some(DeviceError::Tpm(_)))
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoRecipient => "give the public key of a recovery key: age1…",
            Self::NotARecipient { .. } => {
                "make a key with `age-keygen -o FILE` on a machine that is kept offline, and give \
                 the public key that it prints: age1… (if it was a secret that you gave, others may \
                 have seen it: use it no more)"
            }
            Self::SecretAsRecipient => {
                "others may have seen it where a public key was expected, and it must be taken as \
                 known to them: use it no more, make another key with `age-keygen`, and give its \
                 public key (age1…)"
            }
            Self::OwnRecipient => {
                "give the public key of a recovery key that is kept somewhere else: `age-keygen -o \
                 FILE` on a machine that is kept offline"
            }
            Self::FileExists { .. } => "name another file: a backup never overwrites one",
            Self::NoPlace { .. } => {
                "name a file in a directory that is there and that you may write to, or make that one"
            }
            Self::ReadBack { .. } => "check the disk, and make the backup again",
            Self::Armored => {
                "take the armor off, and restore the result: \
                 sed '/^-----/d' FILE | base64 -d > FILE.age"
            }
            Self::NotAge { .. } | Self::PassphraseFile => {
                "give the file that was written as the backup"
            }
            Self::KeyFile { .. } | Self::NoKey { .. } | Self::PublicKeyFile { .. } => {
                "give the file that `age-keygen` wrote: one line of it begins with \
                 AGE-SECRET-KEY-1"
            }
            Self::KeyFileEncrypted { .. } => {
                "give the file that `age-keygen` wrote, or that file under a passphrase (`age -p`); \
                 this one may be the backup itself"
            }
            Self::KeyFileLocked { .. } => {
                "give its passphrase as well (`RecoveryKeys::read_with_passphrase`)"
            }
            Self::KeyFilePassphrase { .. } => {
                "check the passphrase (and the keyboard layout) and try again"
            }
            Self::OtherKey => {
                "the recipients were named when the backup was made: give the file with the secret \
                 key of one of them"
            }
            Self::Damaged(_) => "take another copy of the backup, or an older one",
            // What age has authenticated is not damaged.
            Self::NotABackup { source: Some(source), .. } => match help_of(&**source) {
                Some(help) => return Some(help),
                None => NOT_A_BACKUP,
            },
            Self::NotABackup { source: None, .. } => NOT_A_BACKUP,
            Self::Signature { .. } | Self::Inconsistent { .. } => {
                "do not use this file: anybody can encrypt one to your recovery key. Take a backup \
                 from where only you could write"
            }
            Self::OtherDid { .. } => {
                "take the backup of that DID; if it is the DID you named that is wrong, compare both with your \
                 own records first"
            }
            Self::NotNamed { .. } => {
                "compare it with your own records, or with what your peers know: then name it, or \
                 set `did` under [identity]"
            }
            Self::KeyNotThere { source, .. } if Self::storage_key_let_go(source) => {
                let help = source.help().unwrap_or_default();
                return Some(format!("{help}. Then try again"));
            }
            Self::KeyNotThere { source, .. } => {
                let may_be = Self::where_it_may_be(source);
                let may_be = may_be.map(|it| format!(" {it}")).unwrap_or_default();
                let copied = match Self::is_of_token(source) {
                    true => {
                        " If the token's own means have copied the key to another one, say where \
                         (`Backup::at`)."
                    }
                    false => "",
                };
                return Some(format!(
                    "bring that very device back, and try again.{may_be}{copied} Else its key is gone \
                     with it, and no backup restores this DID: what is left is a rotation by a key \
                     that was committed to in advance, or a new identity. What was encrypted to the \
                     old one can still be read: `Backup::write_encryption_key`"
                ));
            }
        };
        Some(help.to_owned())
    }
}

/// That of a file, if that is the reason.
fn kind_of(source: &(dyn StdError + Send + Sync + 'static), otherwise: ErrorKind) -> ErrorKind {
    source.downcast_ref().map_or(otherwise, KeystoreError::kind)
}

impl From<KeystoreError> for BackupError {
    fn from(error: KeystoreError) -> Self {
        let (reason, source) = ("its header or payload is not valid", Some(error.into()));
        Self::NotABackup { reason, source }
    }
}

const NOT_A_BACKUP: &str = "give the file that was written as the backup; this one was encrypted to the same key, and is \
     something else";

/// Of a format that this version does not know.
fn help_of(source: &(dyn StdError + 'static)) -> Option<String> {
    source.downcast_ref::<FormatError>()?.help()
}
