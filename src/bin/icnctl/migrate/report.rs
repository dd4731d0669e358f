//! What is said of a migration, in words and in JSON.

use std::fmt::Write as _;

use icn_identity::backend::BackendKind;
use icn_identity::config::PcrPolicy;
use icn_identity::keystore::Storage;
use icn_identity::migrate::{
    Finished, KeyLeft, KeyOnToken, Migrated, MigrationMode, MigrationStatus, PartOfMigration, Plan,
    PlannedOpening, RolledBack,
};
use serde_json::json;

use crate::args::migrate::MigrateArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{date, one_line};
use crate::safe::word;
use crate::show;
use crate::show::migration::{as_json, in_words, known, part_as_json, part_in_words, place};

pub(super) fn plan(context: &Context, plan: &Plan) -> Result<(), CliError> {
    context.format.print(
        || json!(plan),
        || {
            let mut text = format!(
                "{}\nfrom {} to {} ({})\n\nDID          {}\nCopies       {}\nProvenance   {}\n\
             Opens with   {}\n\nSteps:\n",
                whose(plan),
                place(plan.from),
                place(plan.to),
                plan.mode,
                if plan.keeps_did {
                    "the same"
                } else {
                    "a new one, which peers have to follow to"
                },
                if plan.copies_may_exist { "may exist" } else { "of the new key: none" },
                plan.provenance
                    .iter()
                    .map(|kind| show::provenance_in_words(*kind, "is said of it"))
                    .collect::<Vec<_>>()
                    .join(", or what the device shows: "),
                opens_with(plan),
            );
            for (number, step) in (1..).zip(&plan.steps) {
                let done = if step.done { " (done)" } else { "" };
                let _ = writeln!(text, "  {number}. {}: {}{done}", step.name, one_line(&step.what));
            }
            text.push_str("\nWhat is lost, or stays as it is:\n");
            for lost in &plan.lost {
                let _ = writeln!(text, "  - {}", one_line(lost));
            }
            text.push_str("\nNothing was changed, and no credential was used.\n");
            text
        },
    )
}

fn whose(plan: &Plan) -> String {
    match (&plan.did, &plan.keystore) {
        (Some(did), _) => did.to_string(),
        (None, Some(keystore)) => format!(
            "the identity in {} (its DID shows with its passphrase)",
            one_line(&keystore.display().to_string())
        ),
        (None, None) => String::new(),
    }
}

fn opens_with(plan: &Plan) -> String {
    let PlannedOpening { pin, passphrase, pcrs, policy, .. } = &plan.opens_with;
    let pin = match (plan.to, pin) {
        (BackendKind::Tpm, true) => Some("a PIN that is chosen for it".to_owned()),
        (_, true) if *passphrase => Some(
            "the PIN of the token, and a passphrase beside it (--to-passphrase-file): the token keeps \
             no storage key"
                .to_owned(),
        ),
        (_, true) => Some("the PIN of the token".to_owned()),
        (_, false) => None,
    };
    let pcrs = pcrs.as_ref().map(|pcrs| {
        let approved = match policy {
            Some(PcrPolicy::Authorized) => ", or others that the approver signs",
            _ => "",
        };
        format!("PCRs {pcrs} of this machine as they are when it is made{approved}")
    });
    let all: Vec<_> = pin.into_iter().chain(pcrs).collect();
    all.join(", and ")
}

pub(super) fn status(
    context: &Context,
    status: Option<&MigrationStatus>,
    part: Option<&PartOfMigration>,
) -> Result<(), CliError> {
    context.format.print(
        || {
            json!({
                "migration": status.map(as_json), "part_of_migration": part.map(part_as_json),
            })
        },
        || match (status, part) {
            (None, None) => "No migration is under way.\n".to_owned(),
            (None, Some(part)) => part_in_words(part),
            (Some(status), _) => {
                let mut text = in_words(status);
                let (old, new) = (&status.from_did, &status.to_did);
                let dids = match status.mode {
                    MigrationMode::Import => [("DID", old), ("", &None)],
                    _ => [("Old DID", old), ("New DID", new)],
                };
                for (label, did) in dids {
                    if let Some(did) = did {
                        let _ = writeln!(text, "{label:<11} {did}");
                    }
                }
                if let Some(backup) = &status.backup {
                    let _ = writeln!(text, "{:<11} {}", "Backup", backup.display());
                }
                text
            }
        },
    )
}

pub(super) fn recovered(context: &Context, status: &MigrationStatus) -> Result<(), CliError> {
    let backup = "Which backup was made first is not in the files: it is not looked at again.";
    context.format.print(
        || json!({ "migration": as_json(status) }),
        || format!("migration.json was written again. {backup}\n{}", in_words(status)),
    )
}

pub(super) fn done(
    context: &Context,
    migrated: &Migrated,
    status: Option<&MigrationStatus>,
) -> Result<(), CliError> {
    let header = &migrated.header;
    let (home, previous) = (context.home.display(), migrated.previous.display());
    context.format.print(
        || {
            let mut shown = show::as_json(context, header, &show::Device::JustMade);
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("migration".into(), json!(status.map(as_json)));
                fields.insert("rotation_chain".into(), json!(migrated.chain));
            }
            shown
        },
        || {
            let evidence = header.claimed_evidence();
            let mut text = format!(
                "{}\nThe identity in {home} is in {} now: {}.\n",
                header.did(),
                place(header.backend()),
                show::provenance_in_words(evidence.provenance(), show::speaker(evidence)),
            );
            if let Some(locator) = header.locator() {
                let (token, serial) = (one_line(&locator.token), one_line(&locator.serial));
                let _ = writeln!(text, "The token is {token} (serial {serial}).");
                if matches!(header.storage(), Storage::Passphrase {}) {
                    text.push_str(
                        "It keeps no storage key: each command wants the passphrase beside the PIN \
                         (--passphrase-file).\n",
                    );
                }
            }
            if let Some(warning) =
                show::assurance_warning(evidence.assurance(), header.tpm().is_some())
            {
                let _ = writeln!(text, "{warning}");
            }
            let _ = match status.is_some_and(|status| status.previous_lost) {
                true => writeln!(text, "The old one is NOT whole in {previous} any more."),
                false => {
                    writeln!(text, "The old one is whole in {previous}, and signs from there.")
                }
            };
            text.push_str(match migrated.mode {
                MigrationMode::Rotate => {
                    "Its key has handed over to the new one: give peers the statement of that, with \
                     any before it (the chain: icnctl id rotation show -o FILE), and let them follow. \
                     What was encrypted to the old one decrypts with the new one.\n"
                }
                _ => {
                    "It is the same DID: peers need do nothing. The key was in a file: copies of it \
                     may exist, whatever is removed now.\n"
                }
            });
            text.push_str(
                "Make a backup of the new one (icnctl id backup --recipient age1… -o FILE). When all is well: icnctl id \
                 migrate --finish; to go back: icnctl id migrate --roll-back\n",
            );
            text
        },
    )
}

pub(super) fn before_finish(
    context: &Context,
    args: &MigrateArgs,
    status: &MigrationStatus,
) -> String {
    let previous = context.home.join("previous");
    let now = match status.previous_lost {
        true => ", which is not whole there any more,",
        false => "",
    };
    format!(
        "The old identity {} in {}{now} will be removed, and there is no way back. {}",
        known(status.from_did.as_ref()),
        previous.display(),
        copies(status, if args.keep_old_key { OldKey::Stays } else { OldKey::IsDestroyed })
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

pub(super) fn finished(
    context: &Context,
    status: &MigrationStatus,
    finished: &Finished,
) -> Result<(), CliError> {
    let Finished { did, removed, previous, key_on_token, key_destroyed, .. } = finished;
    context.format.print(
        || {
            json!({
                "finished": true, "did": did, "removed": removed, "previous": previous,
                "key_on_token": key_on_token, "key_destroyed": key_destroyed, "left": finished.left,
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
            if let Some(key) = key_on_token {
                let _ = writeln!(text, "It is at {}.", one_line(key));
            }
            if let Some(key) = &finished.left {
                text.push_str(&left(key));
            }
            text
        },
    )
}

/// Of a key that was in use, and is given up.
const ON_TPM: &str = "The TPM itself keeps nothing of it. Backups of it that were made since the \
                      move still open on that TPM.";

pub(super) fn before_roll_back(
    status: &MigrationStatus,
    removes: Option<&KeyLeft>,
    new_key: KeyOnToken,
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
    match status.mode {
        MigrationMode::Rotate => format!(
            "The identity {} that is in use will be given up, and {key}. {}",
            known(status.to_did.as_ref()),
            followed(status)
        ),
        _ => format!("What is in use will be given up for the key in the file, and {key}."),
    }
}

/// A key that nothing here names any more, and how it is removed by hand.
fn left(key: &KeyLeft) -> String {
    let mut text = format!(
        "It, or a copy of it, may still be on {}: nothing here names it any more. Where that token \
         is in use, remove what of it is there:\n",
        one_line(&key.to_string())
    );
    let module = key.module.as_ref().map_or("MODULE".into(), |path| path.display().to_string());
    let (module, token) = (word(&one_line(&module)), word(&one_line(&key.token)));
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

pub(super) fn rolled_back(
    context: &Context,
    status: &MigrationStatus,
    undone: &RolledBack,
) -> Result<(), CliError> {
    let RolledBack { did, given_up, was_in_use, removed, left: still_there, .. } = undone;
    context.format.print(
        || {
            json!({
                "rolled_back": true, "did": did, "given_up": given_up, "was_in_use": was_in_use,
                "removed": removed, "left": still_there,
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
                let _ = writeln!(text, "The new key was removed from {}.", one_line(&key.to_string()));
            }
            still_there.iter().for_each(|key| text.push_str(&left(key)));
            if *was_in_use && status.to == BackendKind::Tpm {
                let _ = writeln!(text, "{ON_TPM}");
            }
            if *was_in_use && status.mode == MigrationMode::Rotate {
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
