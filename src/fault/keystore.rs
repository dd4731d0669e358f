//! What can go wrong with the files of an identity.

mod help;
mod not_compared;

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

pub use self::not_compared::NotCompared;
use super::{FormatError, MigrationError, OpenError};
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
    /// There is no identity, but a note of an attempt to make one that was cut off.
    #[error("there is no identity in {}: {}", home.display(), attempt(did.as_ref(), objects.as_deref()))]
    NeverMade {
        /// The directory.
        home: PathBuf,
        /// Whose identity it was to be, if that was known by then.
        did: Option<Did>,
        /// Objects that may be left on a token.
        objects: Option<String>,
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
    /// The header was saved by a program that changes what it saves, like an editor of
    /// another system. It is kept to the byte, so no payload belongs to it as it is.
    #[error("the header {} was saved by another program: {how}", path.display())]
    HeaderResaved {
        /// The header.
        path: PathBuf,
        /// What shows it.
        how: &'static str,
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
    /// There is no configuration, and the identity is not of the backend that is the default.
    #[error("{} is missing, which says where the key is of the identity that is there ({backend})", path.display())]
    NoConfiguration {
        /// The configuration.
        path: PathBuf,
        /// What has the key, by the header.
        backend: BackendKind,
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
        /// What is left of the identity, and has to be moved away before it is restored.
        in_the_way: Option<PathBuf>,
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
    /// The note by which an identity has handed over cannot be read, or is of another one.
    #[error("{} does not say to whom this identity has handed over", path.display())]
    HandedOverUnreadable {
        /// The note.
        path: PathBuf,
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
    /// A token or TPM refused this PIN before, from this source or another one. It was not sent
    /// again. (Of 65,536 other PINs one is taken for it.)
    #[error("{token} refused the PIN from {source_name} on {}, and it was not sent again", date(*at))]
    RefusedBefore {
        /// The device, as it calls itself.
        token: String,
        /// Where it comes from now; and where it came from then, if that is something else.
        source_name: String,
        /// When it was refused, Unix time.
        at: u64,
        /// The file that says so.
        note: PathBuf,
    },
    /// A token of this name refused this PIN before, and nothing tells whether it was this
    /// one. It was not sent again.
    #[error(
        "{token}, which may be another one of the same name, refused the PIN from {source_name} \
         on {}, and it was not sent again",
        date(*at)
    )]
    RefusedByNamesake {
        /// The device, as it calls itself.
        token: String,
        /// Where it comes from now; and where it came from then, if that is something else.
        source_name: String,
        /// When it was refused, Unix time.
        at: u64,
        /// The file that says so.
        note: PathBuf,
    },
    /// The PIN was sent before, or one in eight others was, and nobody knows what came of
    /// it: the device has given no clear answer, or the process was killed. It was not sent
    /// again.
    #[error(
        "the PIN from {source_name} was sent to {token} on {}, and whether it was refused is \
         not known; it was not sent again",
        date(*at)
    )]
    PinInDoubt {
        /// The device, as it calls itself.
        token: String,
        /// The source.
        source_name: String,
        /// When it was sent, Unix time.
        at: u64,
        /// The file that says so.
        note: PathBuf,
    },
    /// A token or TPM has refused PINs, and whether this is one of them cannot be told. It
    /// was not sent.
    #[error(
        "the PIN from {source_name} may be one that {token} refused before, and was not sent: \
         {problem}"
    )]
    PinNotCompared {
        /// The device, as it calls itself.
        token: String,
        /// Where it comes from.
        source_name: String,
        /// The file that says what was refused.
        note: PathBuf,
        /// Why it cannot be told.
        problem: NotCompared,
    },
    /// The file that says which PINs were refused is damaged, or of a newer version. No PIN
    /// was sent.
    #[error("{} says which PINs were refused, and cannot be understood; no PIN was sent", path.display())]
    Refusals {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Another process or thread sends a PIN to this device. This one was not sent.
    #[error(
        "{holder} is sending a PIN to {token}, which has not answered yet; this one was not sent"
    )]
    PinBeingTried {
        /// The device, as it calls itself.
        token: String,
        /// Who sends it.
        holder: String,
    },
    /// There is no passphrase that could be changed.
    #[error("this identity has no passphrase: {}", opener(*backend))]
    NoPassphrase {
        /// What has the key.
        backend: BackendKind,
    },
    /// The key is in a device, which gives no key out: there is nothing to import
    /// elsewhere.
    #[error("the key of this identity cannot be imported elsewhere: {}", keeper(*backend))]
    NoSeed {
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
    /// The identity has no decryption key of that older DID.
    #[error("this identity has no retired decryption key of {did}")]
    NoRetiredKey {
        /// The DID that was named.
        did: Did,
    },
    /// The identity is being moved to another backend.
    #[error(transparent)]
    Migration(Box<MigrationError>),
    /// A passphrase is needed beside the device's PIN.
    #[error("the token cannot keep the storage key, so a passphrase is needed as well")]
    PassphraseNeeded,
}

impl From<MigrationError> for KeystoreError {
    fn from(error: MigrationError) -> Self {
        Self::Migration(error.into())
    }
}

fn attempt(did: Option<&Did>, objects: Option<&str>) -> String {
    let whose = did.map_or_else(|| "one".to_owned(), |did| format!("that of {did}"));
    let left = objects
        .map_or_else(String::new, |objects| format!(", and may have left objects on {objects}"));
    format!("an attempt to make {whose} was cut off{left}")
}

fn opener(backend: BackendKind) -> &'static str {
    match backend {
        BackendKind::Pkcs11 => "its token opens it, by the token's PIN",
        BackendKind::Tpm => "its TPM opens it",
        BackendKind::Age => "it was made without one",
    }
}

fn keeper(backend: BackendKind) -> &'static str {
    match backend {
        BackendKind::Pkcs11 => "its token does not give it out",
        BackendKind::Tpm => "its TPM gives it to nobody else",
        BackendKind::Age => "its file does not hold it",
    }
}

fn date(unix: u64) -> String {
    clock::rfc3339(unix).unwrap_or_else(|| format!("Unix time {unix}"))
}
