//! What to try next with the files of an identity.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::path::Path;

use super::{KeystoreError, NotCompared};
use crate::fault::io::{io_help, quoted};
use crate::fault::{FormatError, OpenError, scrypt_memory};
use crate::locator::BackendKind;

impl KeystoreError {
    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        if let Some(help) = self.no_room() {
            return Some(help);
        }
        let help = match self {
            Self::NoIdentity { .. } => {
                "make one (`IdentityStore::create`), or name the directory of one"
            }
            Self::NeverMade { .. } => {
                "make it again (`Home::create`): what is left is removed first; if you know that it \
                 was made, and was in use, restore it from a backup"
            }
            Self::Exists { path } if is_payload(path) => return Some(half(path)),
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
                "change the PIN of the token by its own tool, like `pkcs11-tool --module \
                 MODULE --token-label TOKEN --login --change-pin`"
            }
            Self::NoPassphrase { backend: BackendKind::Tpm } => {
                "seal it under another PIN (`IdentityStore::reseal`); that of a P-256 key stays as it is"
            }
            Self::PreviousKept { path, .. } => {
                let repair = format!("run: rm -f {}; or open the identity once", quoted(path));
                return Some(repair);
            }
            Self::HeaderResaved { path, .. } => {
                let repair = r"sed -i '1s/^\xef\xbb\xbf//; s/\r$//'";
                return Some(format!(
                    "take that out again, and change nothing else: {repair} {}; or restore it (with \
                     identity.age) from a backup",
                    quoted(path)
                ));
            }
            Self::Header { .. } | Self::HeaderMismatch { .. } => {
                "the header was changed or belongs to another write: restore identity.json (with \
                 identity.age) from a backup"
            }
            Self::Approvals { .. } => {
                "move the file away, and install the approvals again (`TpmBackend::install`)"
            }
            Self::Format(error) => return error.help(),
            Self::Migration(error) => return error.help(),
            Self::NotPinned { .. } => {
                "somebody changed identity.json or icn.toml: restore the one that is wrong; no \
                 passphrase or PIN was used"
            }
            Self::NotConfigured { .. } => {
                "correct icn.toml, or restore identity.json from a backup; no PIN was sent"
            }
            Self::NoConfiguration { path, .. } => {
                return Some(format!(
                    "write {} again, which the header tells most of (`Home::pin_lines`), or put it \
                     back from a copy; no PIN was sent",
                    quoted(path)
                ));
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
            Self::PinnedNotThere { in_the_way: Some(path), .. } => return Some(half(path)),
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
            Self::HandedOverUnreadable { path, .. } => {
                let note = quoted(path);
                return Some(format!(
                    "put {note} back from a copy or a backup of this identity, or from the chain \
                     that the successor has, with mode 0600. Do not remove it: a second statement of \
                     this key would be a fork, and peers refuse both"
                ));
            }
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
            Self::RefusedByNamesake { .. } => {
                "if this PIN is right for this token, have it tried once \
                 (`HomeOptions::retry_refused`); otherwise give the right one: another one is tried"
            }
            Self::RefusedBefore { .. } => {
                "give the right PIN: another one is tried; if this one is right now, have it tried \
                 once (`HomeOptions::retry_refused`)"
            }
            Self::PinInDoubt { .. } => {
                "make sure of the PIN (one in eight others is taken for the one in doubt), and \
                 look whether wrong ones were counted, where the device tells that (it was not \
                 asked); then have it tried once (`HomeOptions::retry_refused`)"
            }
            Self::PinNotCompared { problem: NotCompared::NoMemory { log_n }, .. } => {
                return Some(format!(
                    "allow this process {} more (`ulimit -v`, or `MemoryMax=` of its service); or \
                     make sure of the PIN, and have it tried once (`HomeOptions::retry_refused`)",
                    scrypt_memory(*log_n)
                ));
            }
            Self::PinNotCompared { .. } => {
                "make sure of the PIN; then have it tried once (`HomeOptions::retry_refused`)"
            }
            Self::Refusals { .. } => {
                return self.removal_of_refusals().map(|removal| {
                    format!(
                        "make sure of the PIN; then have it tried once \
                         (`HomeOptions::retry_refused`), or remove what was noted: {removal}"
                    )
                });
            }
            Self::PinBeingTried { .. } => {
                "wait until the device has answered, and try again; nothing has to be removed"
            }
            Self::NoSeed { .. } => {
                "make a new key in the other device, and rotate to it (`Ready::hand_over`)"
            }
            Self::NoRetiredKey { .. } => {
                "see of which it has one: `IdentityBundle::retired_decryption_keys`"
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

impl KeystoreError {
    /// The command that removes what says which PINs were refused and is not understood,
    /// whatever is there.
    #[doc(hidden)]
    #[must_use]
    pub fn removal_of_refusals(&self) -> Option<String> {
        let Self::Refusals { path, .. } = self else { return None };
        let is_directory = path.symlink_metadata().is_ok_and(|found| found.is_dir());
        let option = if is_directory { "-r" } else { "-f" };
        Some(format!("rm {option} {}", quoted(path)))
    }

    /// What to do where the configuration is not written since the disk of another file
    /// refuses, or is full: to write the configuration elsewhere is no help then.
    #[doc(hidden)]
    #[must_use]
    pub fn no_room(&self) -> Option<String> {
        let Self::PinNotWritten { path: config, source, .. } = self else { return None };
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&**source);
        while let Some(error) = cause {
            if let Some(Self::Io { path, source, .. }) = error.downcast_ref() {
                let is_full = matches!(
                    source.kind(),
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
                );
                let is_read_only = source.kind() == ErrorKind::ReadOnlyFilesystem;
                let is_elsewhere = is_read_only && path != config;
                return (is_full || is_elsewhere).then(|| io_help(path, source));
            }
            cause = error.source();
        }
        None
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
        half(&missing.with_extension("age"))
    }
}

/// Whether it is the payload, or a version of it: all that there may be of a software key.
fn is_payload(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|it| it.starts_with("identity.age"))
}

/// The payload is there without its header, and nothing is put in its place.
fn half(payload: &Path) -> String {
    let header = payload.with_file_name("identity.json");
    format!(
        "put {} back from a copy of the same time; or move {} away, and restore the identity from a \
         backup; or, if that file is the keystore of an older version, move it away and import it. \
         Keep what you have moved until that works",
        quoted(&header),
        quoted(payload)
    )
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
