//! Whether the identity is being moved to another backend, and what goes on with that.

use std::fmt::Write as _;

use icn_identity::Did;
use icn_identity::backend::BackendKind;
use icn_identity::error::WaysOut;
use icn_identity::migrate::{MigrationPart, MigrationState, MigrationStatus, PartOfMigration};
use serde_json::{Value, json};

use crate::output::date;
use crate::safe::word;

/// As `id show` and `--status` have it.
pub(crate) fn as_json(status: &MigrationStatus) -> Value {
    let mut value = json!(status);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("begun".into(), date(status.begun).into());
        fields.insert("next".into(), json!(next(status)));
    }
    value
}

/// The commands that go on from there.
fn next(status: &MigrationStatus) -> &'static [&'static str] {
    match status.state.ways_out() {
        _ if status.journal_lost => &["icnctl id migrate --recover"],
        WaysOut::FinishOrBack if status.previous_lost && status.from == BackendKind::Pkcs11 => {
            &["icnctl id migrate --finish --keep-old-key"]
        }
        WaysOut::FinishOrBack if status.previous_lost => &["icnctl id migrate --finish"],
        WaysOut::FinishOrBack => &["icnctl id migrate --finish", "icnctl id migrate --roll-back"],
        WaysOut::OnOrBack if status.needs_target => &["icnctl id migrate --roll-back"],
        WaysOut::Back => &["icnctl id migrate --roll-back"],
        WaysOut::Finish => &["icnctl id migrate --finish"],
        _ => &["icnctl id migrate", "icnctl id migrate --roll-back"],
    }
}

/// Of the identity that is kept, or not in use yet.
pub(crate) fn part_as_json(part: &PartOfMigration) -> Value {
    let mut value = as_json(&part.status);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("part".into(), json!(part.part));
        fields.insert("home".into(), json!(part.home));
        fields.insert("next".into(), json!(next_in(part)));
    }
    value
}

/// The same commands, of the identity in use.
fn next_in(part: &PartOfMigration) -> Vec<String> {
    let there = format!("icnctl --home {} ", word(&part.home.to_string_lossy()));
    next(&part.status).iter().map(|command| command.replacen("icnctl ", &there, 1)).collect()
}

/// What the identity is that is shown, for people.
pub(crate) fn part_in_words(part: &PartOfMigration) -> String {
    let PartOfMigration { status, home, .. } = part;
    let (mode, to, home) = (status.mode, place(status.to), home.display());
    let mut text = match part.part {
        MigrationPart::Old => format!(
            "This is the OLD identity of a move to {to} ({mode}). The identity in use is {} in \
             {home}. This one is kept whole, and signs, until the move is finished",
            known(status.to_did.as_ref())
        ),
        _ => format!(
            "This is the NEW identity of a move to {to} ({mode}, state: {}), and is not in use: it \
             signs nothing before the switch. The identity in use is {} in {home}",
            status.state,
            known(status.from_did.as_ref())
        ),
    };
    let _ = write!(text, ".\n  next: {}\n", next_in(part).join("\n    or: "));
    text
}

/// A line or two for people.
pub(crate) fn in_words(status: &MigrationStatus) -> String {
    let (mode, to) = (status.mode, place(status.to));
    let mut text = match (status.state, &status.previous) {
        (state, _) if status.journal_lost => format!(
            "A MIGRATION to {to} was under way, and migration.json is lost or cannot be read. By \
             the files, its state is: {state}"
        ),
        (MigrationState::Switched, Some(previous)) => format!(
            "MIGRATED to {to} ({mode}). The old identity {} is kept whole in {}",
            known(status.from_did.as_ref()),
            previous.display()
        ),
        (MigrationState::Switched, None) => format!(
            "MIGRATED to {to} ({mode}). The old identity {} was kept in `previous`, and is NOT WHOLE \
             THERE any more: put that directory back from a copy, if there is one",
            known(status.from_did.as_ref())
        ),
        (MigrationState::Finishing, _) => {
            format!("MIGRATED to {to} ({mode}). The old identity is being removed")
        }
        (MigrationState::Returning | MigrationState::RollingBack, _) => {
            format!("A MIGRATION to {to} ({mode}) is being rolled back")
        }
        (state, _) if status.needs_target => format!(
            "A MIGRATION to {to} ({mode}) was cut off before it was written down where to (state: \
             {state}). The old identity is in use. Ask for it once more with the same options, or undo \
             it"
        ),
        (state, _) => format!(
            "A MIGRATION to {to} ({mode}) is under way since {} (state: {state}). The old identity \
             is in use",
            date(status.begun)
        ),
    };
    if status.unstated {
        text.push_str(". The old key has signed no statement: no peer can follow to the new DID");
    }
    let _ = write!(text, ".\n  next: {}\n", next(status).join("\n    or: "));
    text
}

pub(crate) fn known(did: Option<&Did>) -> String {
    did.map_or_else(String::new, ToString::to_string)
}

pub(crate) const fn place(backend: BackendKind) -> &'static str {
    match backend {
        BackendKind::Age => "a file",
        BackendKind::Pkcs11 => "a token",
        BackendKind::Tpm => "a TPM",
        _ => "another backend",
    }
}
