//! What to try next with the files of an identity.

use icn_identity::backend::BackendKind;
use icn_identity::error::{FormatError, KeystoreError, NotCompared, OpenError};

use super::Help;
use crate::safe::word;

fn is_payload(path: &std::path::Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|it| it.starts_with("identity.age"))
}

/// For what is left of an identity without its header.
const HALF: &str = "icnctl id restore FILE --identity-file KEYFILE; icnctl id import FILE";

/// For an older format.
const IMPORT: &str = "`icnctl id import FILE` reads it";

impl Help for KeystoreError {
    fn on_the_command_line(&self) -> Option<String> {
        if let Some(help) = self.no_room() {
            return Some(help);
        }
        let help = match self {
            Self::NoIdentity { .. } => {
                "make one with `icnctl id init`, restore one from a backup (icnctl id restore FILE --identity-file KEYFILE), or name its \
                 directory with --home"
            }
            Self::NeverMade { .. } => {
                "run `icnctl id init` again: what is left is removed first; if you know that it was \
                 made, and was in use, restore it: icnctl id restore FILE --identity-file KEYFILE"
            }
            Self::Incomplete { missing } => {
                // With the path, as a shell takes it.
                let how = self.help()?;
                let made = missing.extension().is_some_and(|extension| extension == "age");
                let commands = if made {
                    "icnctl id init; icnctl id restore FILE --identity-file KEYFILE"
                } else {
                    HALF
                };
                return Some(format!("{how} ({commands})"));
            }
            // What is left of one that has lost its header.
            Self::Exists { path } if is_payload(path) => {
                return self.help().map(|how| format!("{how} ({HALF})"));
            }
            Self::Exists { .. } => {
                "an identity is never overwritten: use another --home, or move the old one away"
            }
            Self::Migration(error) => return error.on_the_command_line(),
            Self::NotADirectory { .. } => "name another one with --home",
            Self::Format(FormatError::Older { .. }) => IMPORT,
            Self::NotOpened { source, .. } => match source.as_ref() {
                OpenError::Payload(FormatError::Older { .. }) => IMPORT,
                _ => return self.help(),
            },
            Self::NoPassphrase { backend: BackendKind::Tpm } => {
                "change its PIN with `icnctl id reseal --new-pin`; that of a P-256 key stays as it is"
            }
            Self::Approvals { .. } => {
                "move the file away, and install the approvals again with `icnctl tpm install`"
            }
            Self::RefusedByNamesake { .. } => {
                "if this PIN is right for this token, run the command once with --retry-pin; \
                 otherwise give the right one: another one is tried"
            }
            Self::RefusedBefore { .. } => {
                "give the right PIN: another one is tried; if this one is right now, run the \
                 command once with --retry-pin"
            }
            Self::PinInDoubt { .. } => {
                "make sure of the PIN (one in eight others is taken for the one in doubt), and \
                 look whether wrong ones were counted, where the device tells that (`icnctl \
                 backend doctor`); then run the command once with --retry-pin"
            }
            Self::PinNotCompared { problem: NotCompared::NoMemory { .. }, .. } => {
                "allow the process that much more (`ulimit -v`, or `MemoryMax=` of its service); \
                 or make sure of the PIN, and run the command once with --retry-pin"
            }
            Self::PinNotCompared { .. } => {
                "make sure of the PIN; then run the command once with --retry-pin"
            }
            Self::Refusals { .. } => {
                return self.removal_of_refusals().map(|removal| {
                    format!(
                        "make sure of the PIN; then run the command once with --retry-pin, or \
                         remove what was noted: {removal}"
                    )
                });
            }
            Self::Unfinished { path, .. } => {
                return Some(format!(
                    "run the command with that token: what is left there is removed first; or \
                     destroy each of these objects (`pkcs11-tool --module MODULE --token-label TOKEN --login --delete-object --id ID \
                     --type privkey`, pubkey and secrkey), then remove {}, and `did` under \
                     [identity] in icn.toml",
                    path.display()
                ));
            }
            Self::PinnedNotThere { note: Some(note), path, .. } => {
                return Some(format!(
                    "{} says that it was never made; anybody who can write there can say so. Only \
                     if you know that an `icnctl id init` was cut off, remove `did` from {}, and \
                     run the command again; otherwise restore that identity (icnctl id restore FILE --identity-file KEYFILE)",
                    note.display(),
                    path.display()
                ));
            }
            Self::PinnedNotThere { in_the_way: Some(_), .. } => {
                return self.help().map(|how| format!("{how} ({HALF})"));
            }
            Self::PinnedNotThere { note: None, .. } => {
                "restore that identity from a backup (icnctl id restore FILE --identity-file KEYFILE); if there is none and its \
                 key is on a token, make it around that key (icnctl id init --key URI); or, to make a new one and \
                 lose that one, name another --home. Only if you know that an `icnctl id init` was \
                 cut off and it was never made, remove `did` from that file"
            }
            Self::PinNotWritten { lines: None, .. } => {
                "make it and its directory writable; or, unless the identity is being moved, run the \
                 command with a copy that is (--config FILE), and put that in its place afterwards"
            }
            Self::PinNotWritten { lines: Some(lines), .. } => {
                return Some(format!(
                    "make it writable; or add these lines to it, and run the command again:\n{lines}"
                ));
            }
            Self::NoConfiguration { path, .. } => {
                return Some(format!(
                    "`icnctl id show` prints the lines that it has to have: write them to {}, or put \
                     it back from a copy. No PIN was sent",
                    word(&path.to_string_lossy())
                ));
            }
            Self::HandedOverUnreadable { .. } => {
                return self.help().map(|how| {
                    format!("{how} (icnctl --home SUCCESSOR id rotation show -o FILE)")
                });
            }
            Self::NoRetiredKey { .. } => {
                "`icnctl id decryption-key list` shows of which it has one"
            }
            Self::PassphraseNeeded => "give one with --passphrase-file or $ICN_PASSPHRASE",
            _ => return self.help(),
        };
        Some(help.to_owned())
    }
}
