//! What is said of a migration, in words and in JSON.

mod ends;

use std::fmt::Write as _;

use icn_identity::backend::BackendKind;
use icn_identity::config::PcrPolicy;
use icn_identity::keystore::Storage;
use icn_identity::migrate::{
    Migrated, MigrationMode, MigrationStatus, PartOfMigration, Plan, PlannedOpening,
};
use serde_json::json;

pub(super) use self::ends::{before_finish, before_roll_back, finished, rolled_back};
use crate::context::Context;
use crate::error::CliError;
use crate::output::one_line;
use crate::show;
use crate::show::migration::{as_json, in_words, part_as_json, part_in_words, place};

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
                    let signs = match status.is_some_and(|now| now.unstated || now.not_carried) {
                        true => "",
                        false => ", and signs from there",
                    };
                    writeln!(text, "The old one is whole in {previous}{signs}.")
                }
            };
            text.push_str(match migrated.mode {
                MigrationMode::Rotate if status.is_some_and(|status| status.unstated) => {
                    "The old key has signed no statement: no peer can follow to the new DID, so tell \
                     each of them to pin it. What was encrypted to the old one does not decrypt with \
                     the new one.\n"
                }
                MigrationMode::Rotate if status.is_some_and(|status| status.not_carried) => {
                    "Its key has handed over to the new one: give peers the statement of that, with \
                     any before it (the chain: icnctl id rotation show -o FILE), and let them follow. \
                     What was encrypted to the old one does not decrypt with the new one: the old one \
                     did not open any more.\n"
                }
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
