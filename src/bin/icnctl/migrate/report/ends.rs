//! What is said of both ends of a migration.

use std::fmt::Write as _;
use std::path::Path;

use icn_identity::backend::BackendKind;
use icn_identity::migrate::{
    Finished, KeyLeft, KeyOnToken, MigrationMode, MigrationStatus, RolledBack,
};
use serde_json::json;

use crate::args::migrate::MigrateArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{date, one_line};
use crate::safe::word;
use crate::show::migration::{known, place};

pub(in crate::migrate) fn before_finish(
    context: &Context,
    args: &MigrateArgs,
    status: &MigrationStatus,
    copy_of: Option<&Path>,
) -> String {
    let previous = context.home.join("previous");
    let now = match status.previous_lost {
        true => ", which is not whole there any more,",
        false => "",
    };
    format!(
        "The old identity {} in {}{now} will be removed, and there is no way back. {}{}",
        known(status.from_did.as_ref()),
        previous.display(),
        copies(status, if args.keep_old_key { OldKey::Stays } else { OldKey::IsDestroyed }),
        copy_of.map(|of| may_be_copy(of, "--keep-old-key")).unwrap_or_default()
    )
}

/// What is destroyed may be in use by the other one.
fn may_be_copy(of: &Path, keep: &str) -> String {
    format!(
        " This directory may be a COPY of the one in which the migration was begun ({}): its path and \
         its inode do not both say that it is that one. If it is, that key may be in use there: leave \
         it then ({keep}).",
        one_line(&of.display().to_string())
    )
}

/// What becomes of the old key, if it is on a token.
#[derive(Clone, Copy)]
enum OldKey {
    IsDestroyed,
    Stays,
    /// Nothing told where it is, or whether it still is there.
    Unknown,
}

impl From<&Finished> for OldKey {
    fn from(finished: &Finished) -> Self {
        match finished {
            Finished { key_destroyed: true, .. } => Self::IsDestroyed,
            Finished { key_unknown: true, .. } => Self::Unknown,
            _ => Self::Stays,
        }
    }
}

/// What no command can take back.
fn copies(status: &MigrationStatus, key: OldKey) -> String {
    let of_device = of_its_key(status, key);
    match status.in_file_until {
        Some(until) => format!(
            "Its key was in a file until {}: copies and backups of that file still sign as that \
             DID, and nothing takes that back. {of_device}",
            date(until)
        ),
        None => of_device.to_owned(),
    }
}

const fn of_its_key(status: &MigrationStatus, key: OldKey) -> &'static str {
    match (status.from, key) {
        (BackendKind::Age, _) => {
            "Backups and copies of it still sign as that DID, and an SSD forgets nothing for \
             certain: whoever has one of them and its passphrase has the key."
        }
        (BackendKind::Tpm, _) => {
            "Backups of it that were made since still open on that TPM, and an SSD forgets nothing \
             for certain. Only a TPM that is cleared opens none of them; that destroys every other \
             key in it, too."
        }
        (_, OldKey::Stays) => "Its key stays on its token, and nothing here names it any more.",
        (_, OldKey::Unknown) => {
            "Its key may still be on its token: nothing here tells on which one. Look for it there, \
             and remove it."
        }
        (_, OldKey::IsDestroyed) => {
            "Its key is destroyed on its token; copies of it that were made by the token's own \
             means still sign as that DID."
        }
    }
}

pub(in crate::migrate) fn finished(
    context: &Context,
    status: &MigrationStatus,
    finished: &Finished,
) -> Result<(), CliError> {
    let Finished { did, removed, previous, key_on_token, key_destroyed, copy_of, .. } = finished;
    context.format.print(
        || {
            json!({
                "finished": true, "did": did, "removed": removed, "previous": previous,
                "key_on_token": key_on_token, "key_destroyed": key_destroyed, "left": finished.left,
                "epoch": finished.epoch,
                "copy_of": copy_of,
            })
        },
        || {
            let done = match removed {
                Some(_) => "was removed from",
                None => "was not there any more in",
            };
            let mut text = format!(
                "{}\nThe old identity {} {done} {}.\n{}\n",
                known(did.as_ref()),
                known(status.from_did.as_ref()),
                previous.display(),
                copies(status, finished.into())
            );
            text.push_str(&epoch(finished.epoch));
            if let Some(key) = key_on_token {
                let _ = writeln!(text, "It is at {}.", one_line(key));
            }
            if let Some(key) = &finished.left {
                text.push_str(&left(key, copy_of.as_deref()));
            }
            text
        },
    )
}

/// Of a key that was in use, and is given up.
const ON_TPM: &str = "The TPM itself keeps nothing of it. Backups of it that were made since the \
                      move still open on that TPM.";

pub(in crate::migrate) fn before_roll_back(
    status: &MigrationStatus,
    in_use: bool,
    removes: Option<&KeyLeft>,
    new_key: KeyOnToken,
    copy_of: Option<&Path>,
) -> String {
    let key = match (removes, new_key) {
        (Some(key), _) => {
            format!(
                "its key removed from {} (for which its PIN is wanted)",
                one_line(&key.to_string())
            )
        }
        (None, KeyOnToken::Keep) => "its key left where it is".to_owned(),
        (None, _) if status.to == BackendKind::Tpm => {
            format!("the files that open its key removed. {ON_TPM}")
        }
        (None, _) => "its key removed".to_owned(),
    };
    let key = key.trim_end_matches('.');
    let copy = copy_of.map(|of| may_be_copy(of, "--keep-new-key")).unwrap_or_default();
    let what = match status.mode {
        // By the files alone, of which no more is known.
        _ if !in_use && status.to_did.is_none() => {
            format!("What was begun of the new identity will be given up, and {key}.")
        }
        _ if !in_use => format!(
            "The identity {} that is not in use yet will be given up, and {key}. If this directory was \
             put back from a copy, that key may have been put in use since, and nothing brings it back: \
             leave it then (--keep-new-key).",
            known(status.to_did.as_ref())
        ),
        MigrationMode::Rotate => format!(
            "The identity {} that is in use will be given up, and {key}. {}",
            known(status.to_did.as_ref()),
            followed(status)
        ),
        _ => format!("What is in use will be given up for the key in the file, and {key}."),
    };
    what + &copy
}

/// Begun with the identity that is given up, of the same DID.
fn epoch(joined: Option<u64>) -> String {
    joined.map_or_else(String::new, |epoch| {
        format!(
            "It has joined epoch {epoch}, which was begun meanwhile: its TLS key and certificate are \
             new, as peers refuse the older ones.\n"
        )
    })
}

/// A key of which nothing tells whether it was made.
fn may_be(key: &KeyLeft) -> String {
    let module = key.module.as_ref().map_or("MODULE".into(), |path| path.display().to_string());
    let (module, token) = (word(&one_line(&module)), word(&one_line(&key.token)));
    let label = key.label.as_deref().unwrap_or("icn-identity");
    format!(
        "A key labelled {} may be on token {}, if it was begun, which nothing here tells. To see what \
         is there:\n  pkcs11-tool --module {module} --token-label {token} --login --list-objects\n",
        one_line(label),
        one_line(&key.token)
    )
}

/// A key that nothing here names any more, and how it is removed by hand.
fn left(key: &KeyLeft, copy_of: Option<&Path>) -> String {
    let at = one_line(&key.to_string());
    let mut text = match copy_of {
        None => format!(
            "It, or a copy of it, may still be on {at}: nothing here names it any more. Where that \
             token is in use, remove what of it is there:\n"
        ),
        Some(of) => format!(
            "It stays on {at}: the identity in {} may use it, of which this directory is a copy. \
             Only if that one is no more, remove what of it is there:\n",
            one_line(&of.display().to_string())
        ),
    };
    let module = key.module.as_ref().map_or("MODULE".into(), |path| path.display().to_string());
    let (module, token) = (word(&one_line(&module)), word(&one_line(&key.token)));
    if !key.label_is_current {
        let _ = writeln!(
            text,
            "(The token was not seen by that label alone now. If it has another one by now, or shares \
             it, find its slot by the serial number {}, and give --slot ID in the place of --token-label \
             {token}:\n  pkcs11-tool --module {module} --list-slots)",
            one_line(&key.serial)
        );
    }
    for (at, id) in key.ids.iter().enumerate() {
        let kinds: &[&str] = if at == 0 { &["privkey", "pubkey"] } else { &["secrkey"] };
        for kind in kinds {
            let _ = writeln!(
                text,
                "  pkcs11-tool --module {module} --token-label {token} --login --delete-object --id \
                 {id} --type {kind}"
            );
        }
    }
    text
}

/// Of peers.
fn followed(status: &MigrationStatus) -> String {
    format!(
        "Peers that have followed to {} do not come back by themselves: tell each of them to expect \
         {} again.",
        known(status.to_did.as_ref()),
        known(status.from_did.as_ref())
    )
}

pub(in crate::migrate) fn rolled_back(
    context: &Context,
    status: &MigrationStatus,
    undone: &RolledBack,
) -> Result<(), CliError> {
    let RolledBack { did, given_up, was_in_use, removed, left: still_there, .. } = undone;
    let RolledBack { was_gone, key_unknown, copy_of, .. } = undone;
    context.format.print(
        || {
            json!({
                "rolled_back": true, "did": did, "given_up": given_up, "was_in_use": was_in_use,
                "removed": removed, "was_gone": was_gone, "left": still_there,
                "key_unknown": key_unknown, "may_be": undone.may_be, "epoch": undone.epoch, "copy_of": copy_of,
                "renamed": undone.renamed,
            })
        },
        || {
            let mut text = format!(
                "{}\nThe identity in {} is the old one again, in {}.\n",
                known(did.as_ref()),
                context.home.display(),
                place(status.from)
            );
            if let Some(key) = removed {
                let key = one_line(&key.to_string());
                let _ = match was_gone {
                    true => writeln!(text, "The new key was not there any more: {key}."),
                    false => writeln!(text, "The new key was removed from {key}."),
                };
            }
            still_there.iter().for_each(|key| text.push_str(&left(key, copy_of.as_deref())));
            if *key_unknown {
                text.push_str(
                    "The new key may be on its token all the same, and nothing here tells which it \
                     is: look there for a key that
                     nobody uses (pkcs11-tool --list-objects).\n",
                );
            }
            if let Some(key) = &undone.may_be {
                text.push_str(&may_be(key));
            }
            if let Some(label) = &undone.renamed {
                let _ = writeln!(
                    text,
                    "Its token is labelled {} now, which is not recorded: it opens after this:\n  icnctl \
                     id relocate",
                    one_line(label)
                );
            }
            text.push_str(&epoch(undone.epoch));
            if *was_in_use && status.to == BackendKind::Tpm {
                let _ = writeln!(text, "{ON_TPM}");
            }
            let is_rotation = status.mode == MigrationMode::Rotate;
            if *was_in_use && is_rotation && status.unstated {
                let _ = writeln!(text, "{}", followed(status));
            } else if *was_in_use && is_rotation && copy_of.is_none() {
                let _ = writeln!(
                    text,
                    "{}\nThat the old key has handed over stays noted: a second statement, to another \
                     key, would contradict the first (a fork), and peers refuse both.",
                    followed(status)
                );
            }
            text
        },
    )
}
