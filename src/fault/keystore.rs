//! What can go wrong with the files of an identity.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};

use super::io::{io_help, quoted};
use super::{FormatError, OpenError};
use crate::clock;
use crate::did::Did;
use crate::locator::BackendKind;

/// Why the files of an identity could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// There is no identity.
    #[error("there is no identity in {}", home.display())]
    NoIdentity {
        /// The directory.
        home: PathBuf,
    },
    /// One of the two files of an identity is there, and the other is not.
    #[error("{} is missing from this identity", missing.display())]
    Incomplete {
        /// The file that is missing.
        missing: PathBuf,
    },
    /// An identity is already there.
    #[error("{} already exists", path.display())]
    Exists {
        /// The file that is there.
        path: PathBuf,
    },
    /// A file that is not to be replaced is already there.
    #[error("{} already exists", path.display())]
    FileExists {
        /// The file that is there.
        path: PathBuf,
    },
    /// Reading or writing failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not one that secrets may be read from or written to.
    #[error("{} is not safe to use: {problem}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// The command that repairs it.
        repair: String,
    },
    /// There is something else where a directory should be.
    #[error("{} is not a directory", path.display())]
    NotADirectory {
        /// Its path.
        path: PathBuf,
    },
    /// Another process holds the lock.
    #[error("the identity in {} is in use by {holder}", home.display())]
    InUse {
        /// The directory.
        home: PathBuf,
        /// Who holds the lock.
        holder: String,
    },
    /// The header cannot be read.
    #[error("the header {} is not valid", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The file of approvals cannot be read.
    #[error("the approvals in {} are not valid", path.display())]
    Approvals {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// What is in a file was not understood.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The payload's file cannot be opened, for another reason than its
    /// credential.
    #[error("{} cannot be opened", path.display())]
    NotOpened {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<OpenError>,
    },
    /// Header and payload are not of the same write.
    #[error("the header {} does not belong to this identity's payload", path.display())]
    HeaderMismatch {
        /// The header.
        path: PathBuf,
    },
    /// The header is for another DID than the configuration.
    #[error("the header names {found}, the configuration pins {pinned}")]
    NotPinned {
        /// What `icn.toml` pins.
        pinned: Did,
        /// What the header says.
        found: Did,
    },
    /// The header is for another backend or device than the configuration.
    #[error("the header names {what} {found:?}, the configuration {configured:?}")]
    NotConfigured {
        /// Which field.
        what: &'static str,
        /// What the header says.
        found: String,
        /// What `icn.toml` says.
        configured: String,
    },
    /// The configuration pins another DID than would be pinned.
    #[error("{} pins {pinned}, and no other identity is put in its place", path.display())]
    OtherPinned {
        /// The configuration.
        path: PathBuf,
        /// What it pins.
        pinned: Did,
    },
    /// Nobody says whose identity this has to be.
    #[error("{} does not say whose identity has to be in this home", path.display())]
    Unpinned {
        /// The configuration.
        path: PathBuf,
        /// Whose identity is there.
        found: Did,
    },
    /// The configuration pins an identity that is not there.
    #[error("{} pins {did}, but there is no such identity", path.display())]
    PinnedNotThere {
        /// The configuration.
        path: PathBuf,
        /// What it pins.
        did: Did,
        /// A note in the home, which anybody who can write there can make, that it
        /// was never made.
        note: Option<PathBuf>,
    },
    /// The configuration cannot be written, which has to say whose identity is there.
    #[error("{} cannot be written, and so nothing else was", path.display())]
    PinNotWritten {
        /// The configuration.
        path: PathBuf,
        /// The lines that it needs; `None` where the key is gone again.
        lines: Option<String>,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The text of a configuration cannot be changed as it is to be.
    #[error("{} cannot be changed", path.display())]
    ConfigNotEdited {
        /// The configuration.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A writer was cut off, and what it left could not be put in order.
    #[error("{} is left of a write that was cut off, and nothing more is written", path.display())]
    Unrepaired {
        /// What is left.
        path: PathBuf,
    },
    /// An attempt to make an identity was cut off, and what it made on a token can
    /// not be removed now.
    #[error("an attempt to make an identity was cut off, and may have left objects on {objects}")]
    Unfinished {
        /// The note of it.
        path: PathBuf,
        /// Which objects, on which token.
        objects: String,
        /// Why they cannot be removed, where it was tried.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The note of an attempt to make an identity cannot be read.
    #[error("{} cannot be read: it names what an attempt to make an identity has left", path.display())]
    UnfinishedUnreadable {
        /// The note.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Another process has put something else in the place of what this one opened.
    #[error("the identity in {} has another {what} than when this process opened it", home.display())]
    Replaced {
        /// The directory.
        home: PathBuf,
        /// What is another one: the DID, or the backend.
        what: &'static str,
    },
    /// Another process has changed what opens the payload since this one opened it.
    #[error(
        "the identity in {} has another passphrase or storage key than when this process opened it",
        home.display()
    )]
    Resealed {
        /// The directory.
        home: PathBuf,
    },
    /// A written file did not read back as it was meant.
    #[error("{} did not read back as it was written; the previous version is kept", path.display())]
    ReadBack {
        /// The file.
        path: PathBuf,
    },
    /// A token refused the PIN of this source before, and the source has not
    /// changed since. It was not sent again.
    #[error("token {token} refused the PIN from {source_name} on {}, and it was not sent again", date(*at))]
    RefusedBefore {
        /// The token.
        token: String,
        /// The source.
        source_name: String,
        /// When it was refused, Unix time.
        at: u64,
    },
    /// There is no passphrase that could be changed.
    #[error("this identity has no passphrase: {}", opener(*backend))]
    NoPassphrase {
        /// What has the key.
        backend: BackendKind,
    },
    /// The passphrase was changed, but a version under the old one is left.
    #[error("the passphrase was changed, but {} may still be there, under the old one", path.display())]
    PreviousKept {
        /// The file.
        path: PathBuf,
        /// Why it was not removed.
        #[source]
        source: Box<KeystoreError>,
    },
    /// A passphrase is needed beside the device's PIN.
    #[error("the token cannot keep the storage key, so a passphrase is needed as well")]
    PassphraseNeeded,
}

fn opener(backend: BackendKind) -> &'static str {
    match backend {
        BackendKind::Pkcs11 => "its token opens it, by the token's PIN",
        BackendKind::Tpm => "its TPM opens it",
        BackendKind::Age => "it was made without one",
    }
}

fn date(unix: u64) -> String {
    clock::rfc3339(unix).unwrap_or_else(|| format!("Unix time {unix}"))
}

impl KeystoreError {
    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoIdentity { .. } => {
                "make one (`IdentityStore::create`), or name the directory of one"
            }
            Self::Exists { .. } => {
                "an identity is never overwritten: use another directory, or move the old one away"
            }
            Self::FileExists { .. } => "name another file, or move that one away",
            Self::Unsafe { repair, .. } => return Some(repair.clone()),
            Self::Incomplete { missing } => return Some(complete(missing)),
            Self::NotADirectory { .. } => "name another directory",
            Self::InUse { .. } => {
                "wait until it is done, and try again; the lock frees itself when that process \
                 ends, so do not remove .lock"
            }
            Self::NotOpened { path, source } => return Some(restore(path, source)),
            Self::NoPassphrase { backend: BackendKind::Pkcs11 } => {
                "change the PIN of the token by its own tool, like `pkcs11-tool --login \
                 --change-pin`"
            }
            Self::NoPassphrase { backend: BackendKind::Tpm } => {
                "seal it under another PIN (`IdentityStore::reseal`); that of a P-256 key stays as it is"
            }
            Self::PreviousKept { path, .. } => {
                let repair = format!("run: rm -f {}; or open the identity once", quoted(path));
                return Some(repair);
            }
            Self::Header { .. } | Self::HeaderMismatch { .. } => {
                "the header was changed or belongs to another write: restore identity.json (with \
                 identity.age) from a backup"
            }
            Self::Approvals { .. } => {
                "move the file away, and install the approvals again (`TpmBackend::install`)"
            }
            Self::Format(error) => return error.help(),
            Self::NotPinned { .. } => {
                "somebody changed identity.json or icn.toml: restore the one that is wrong; no \
                 passphrase or PIN was used"
            }
            Self::NotConfigured { .. } => {
                "correct icn.toml, or restore identity.json from a backup; no PIN was sent"
            }
            Self::OtherPinned { path, .. } => {
                return Some(format!(
                    "name another configuration; only if you know that the identity of that DID \
                     was never made or is given up, remove `did` from {}",
                    quoted(path)
                ));
            }
            Self::Unpinned { path, found } => {
                return Some(format!(
                    "if {found} is the DID in your records, write this line under [identity] in \
                     {}:\ndid = \"{found}\"",
                    quoted(path)
                ));
            }
            Self::PinnedNotThere { note: Some(note), path, .. } => {
                return Some(format!(
                    "{} says that it was never made; anybody who can write there can say so. Only \
                     if you know that making it was cut off, remove `did` from {}, and make it \
                     again; otherwise restore that identity from a backup",
                    quoted(note),
                    quoted(path)
                ));
            }
            Self::PinnedNotThere { note: None, .. } => {
                "restore that identity from a backup; or, to make a new one and lose that one, \
                 name another directory. Only if you know that making it was cut off, remove \
                 `did` from that file"
            }
            Self::PinNotWritten { lines: None, .. } => {
                "make it writable; or use a copy that is, and put that in its place afterwards"
            }
            Self::PinNotWritten { lines: Some(lines), .. } => {
                return Some(format!(
                    "make it writable; or add these lines to it, and try again:\n{lines}"
                ));
            }
            Self::ConfigNotEdited { .. } => "correct that file, then try again",
            Self::Unrepaired { .. } => {
                "the identity opens all the same; the warning says what is in the way: when that is \
                 gone, the next command that opens the identity puts it in order"
            }
            Self::Unfinished { path, .. } => {
                return Some(format!(
                    "make the identity with that token: what is left there is removed first; or \
                     destroy these objects yourself, then remove {}, and `did` under [identity] \
                     in icn.toml",
                    quoted(path)
                ));
            }
            Self::UnfinishedUnreadable { path, .. } => {
                return Some(format!(
                    "look for objects on the token that no identity names, then remove {}",
                    quoted(path)
                ));
            }
            Self::Replaced { .. } => {
                "find out who has put another identity there; the certificate that is in use \
                 stays, and is not renewed"
            }
            Self::Resealed { .. } => {
                "open the identity again, with its present passphrase or PIN; until then the \
                 certificate that is in use stays. If nobody has changed it, the payload is \
                 damaged: restore it from a backup"
            }
            Self::ReadBack { .. } => "check the disk, then try again",
            Self::RefusedBefore { .. } => {
                "put the right PIN there (a file that is written anew is tried; a variable does \
                 not show whether it has changed), then have this refusal forgotten \
                 (`HomeOptions::retry_refused`)"
            }
            Self::PassphraseNeeded => "give one as well (`Credentials::and_passphrase`)",
            Self::Io { path, source, .. } => return Some(io_help(path, source)),
            Self::NoPassphrase { backend: BackendKind::Age } => {
                "make an identity with a passphrase, or restore this one from a backup under one"
            }
        };
        Some(help.to_owned())
    }
}

fn complete(missing: &Path) -> String {
    if missing.extension().is_some_and(|extension| extension == "age") {
        format!(
            "if making the identity was cut off, make it again; otherwise put {} back from a copy, \
             or the identity from a backup. Keep identity.json: the key of a TPM is in it",
            quoted(missing)
        )
    } else {
        format!("restore {} from a backup of this identity", quoted(missing))
    }
}

fn restore(path: &Path, source: &OpenError) -> String {
    let known = match source {
        OpenError::Payload(error @ (FormatError::Newer { .. } | FormatError::Older { .. })) => {
            error.help()
        }
        OpenError::ExcessiveWork { .. } | OpenError::NoSeed => source.help(),
        _ => None,
    };
    known.unwrap_or_else(|| format!("restore {} from a backup", quoted(path)))
}
