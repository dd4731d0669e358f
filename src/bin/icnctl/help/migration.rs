//! What to try next with a migration.

use std::path::Path;

use icn_identity::Error;
use icn_identity::backend::BackendKind;
use icn_identity::error::{MigrationError, WaysOut};

use super::Help;
use crate::safe::word;
use crate::this_home;

/// What can be done with a migration that is under way.
const fn ways_out(ways: WaysOut) -> &'static str {
    match ways {
        WaysOut::OnOrBack => {
            "go on with it: icnctl id migrate; or undo it: icnctl id migrate --roll-back"
        }
        WaysOut::FinishOrBack => {
            "finish it when peers have followed: icnctl id migrate --finish; or undo it: icnctl id \
             migrate --roll-back"
        }
        WaysOut::Back => {
            "undo it to the end: icnctl id migrate --roll-back; if the token of the new key is gone \
             for good: icnctl id migrate --roll-back --keep-new-key"
        }
        WaysOut::Finish => {
            "finish it: icnctl id migrate --finish; if the token of the old key is gone for good: \
             icnctl id migrate --finish --keep-old-key"
        }
        _ => "look at how far it is: icnctl id migrate --status",
    }
}

/// The same, of another home than this call is about.
fn ways_out_of(ways: WaysOut, home: &Path) -> String {
    let there = format!("icnctl --home {} id migrate", word(&home.to_string_lossy()));
    ways_out(ways).replace("icnctl id migrate", &there)
}

impl Help for MigrationError {
    fn on_the_command_line(&self) -> Option<String> {
        let help = of_the_move(self)?;
        let cause = Error::to_mend(self).and_then(Help::on_the_command_line);
        let Some(cause) = cause else { return Some(help) };
        let cause = match self {
            // Of the old one that is kept, which is no home that this call is about.
            Self::DoesNotOpen { home, .. } if !this_home::is(home) => {
                let there = format!("icnctl --home {}", word(&home.to_string_lossy()));
                cause.replace(concat!("icnctl", " id "), &format!("{there} id "))
            }
            _ => cause,
        };
        Some(format!("{help}. Of the cause: {cause}"))
    }
}

fn of_the_move(error: &MigrationError) -> Option<String> {
    use MigrationError as M;
    let help = match error {
        M::UnderWay { home, ways, .. } if !this_home::is(home) => {
            return Some(ways_out_of(*ways, home));
        }
        M::UnderWay { ways, .. } | M::NotSwitched { ways, .. } => ways_out(*ways),
        M::NotInUse { home, ways, .. } => {
            let ways = ways_out_of(*ways, home);
            let home = home.display();
            return Some(format!("use the identity that is in {home}. Of its move: {ways}"));
        }
        M::NotUnderWay { .. } => {
            "name the --home of an identity that is being moved; `icnctl id migrate --status` \
             tells"
        }
        M::Other { ways: WaysOut::FinishOrBack, .. } => ways_out(WaysOut::FinishOrBack),
        M::Other { .. } => {
            "go on with what is under way: icnctl id migrate; or undo that first: icnctl id \
             migrate --roll-back"
        }
        M::NoBackupSaid => {
            "have one made: --recipient age1… -o FILE; or name the one that there is: --backup \
             FILE --identity-file KEYFILE; or say that there is to be none: --no-backup"
        }
        M::RollingBack { .. } => ways_out(WaysOut::Back),
        M::Finishing { .. } => ways_out(WaysOut::Finish),
        M::OtherConfig { expected, .. } => {
            return Some(format!(
                "name that file: --config {}; if it was moved since, leave a symbolic link to \
                 it there",
                word(&expected.display().to_string())
            ));
        }
        M::BackupLost { at_the_end: false, .. } => {
            "nothing was switched: put it back and run the command again; or have another one \
             made: --recipient age1… -o FILE; or name one: --backup FILE --identity-file \
             KEYFILE; or go on without one: --no-backup; or undo the migration: icnctl id \
             migrate --roll-back"
        }
        M::BackupLost { at_the_end: true, .. } => {
            "nothing was removed, and the old identity can be backed up once more. Say where \
             the backup is now: icnctl id migrate --finish --backup FILE; or that there is to be \
             none: icnctl id migrate --finish --no-backup"
        }
        M::OldLost { at_the_end: true, .. } => {
            "nothing was removed: put the directory back from a copy and run the command again; \
             if there is none, leave the key on its token, which is named once more then: icnctl \
             id migrate --finish --keep-old-key"
        }
        M::OldLost { at_the_end: false, .. } => {
            "put the directory back from a copy; if there is none, there is no way back: end the \
             move: icnctl id migrate --finish"
        }
        M::NewLost { .. } => {
            "nothing was removed: put the directory back from a copy and run the command again; \
             if there is none, leave the key on its token, which is named once more then: icnctl \
             id migrate --roll-back --keep-new-key"
        }
        M::Copy { is_new, of, .. } => {
            let of = word(&of.to_string_lossy());
            let (there, here) = match is_new {
                true => (
                    format!("icnctl --home {of} id migrate --roll-back"),
                    "icnctl id migrate --roll-back --keep-new-key",
                ),
                false => (
                    format!("icnctl --home {of} id migrate --finish"),
                    "icnctl id migrate --finish --keep-old-key",
                ),
            };
            return Some(format!(
                "nothing was removed: run it there ({there}). If this directory was only moved, \
                 move it back there, or leave a symbolic link to it at {of}; to have it done in \
                 the copy alone, leave the key on its token: {here}"
            ));
        }
        M::KeyStays { is_new: true, .. } => {
            "see to the cause and run the command again; if the token is gone for good, give the \
             key up, which is named once more then: icnctl id migrate --roll-back --keep-new-key"
        }
        M::KeyStays { is_new: false, .. } => {
            "nothing was removed: see to the cause and run the command again; if the token is \
             gone for good, leave the key there: icnctl id migrate --finish --keep-old-key"
        }
        M::DoesNotOpen { is_new: true, .. } => {
            "nothing was removed: see to the cause and run the command again; if the device of \
             the new key is gone for good, undo the migration: icnctl id migrate --roll-back \
             --keep-new-key"
        }
        M::DoesNotOpen { is_new: false, ways: WaysOut::OnOrBack, .. } => {
            "nothing was removed: put its files back from a copy, or see to its device, and run \
             the command again; if that cannot be, keep the new identity, to which peers cannot \
             follow without a statement of the old key: icnctl id migrate --without-statement, \
             then icnctl id migrate --finish; where only a key was begun, leave it on its token: \
             icnctl id migrate --roll-back --keep-new-key"
        }
        M::DoesNotOpen { is_new: false, ways: WaysOut::FinishOrBack, .. } => {
            "nothing was removed: put its files back from a copy, or see to its device, and run \
             the command again; if that cannot be, keep the new identity: icnctl id migrate \
             --finish"
        }
        M::DoesNotOpen { is_new: false, .. } => {
            "nothing was removed: put its files back from a copy, or see to its device, and run \
             the command again; if that cannot be, keep the new identity: go on with the migration \
             after all: icnctl id migrate --without-statement (a statement that the old key has \
             made is kept), then icnctl id migrate --finish; where only a key was begun, leave it \
             on its token: icnctl id migrate --roll-back --keep-new-key"
        }
        M::NewDoesNotOpen { .. } => {
            "see to the cause and go on: icnctl id migrate; or undo the migration: icnctl id \
             migrate --roll-back; if the token of the new key is gone for good: icnctl id \
             migrate --roll-back --keep-new-key"
        }
        M::CannotState { is_made: false, .. } => {
            "no new key was made: see to its device or its files, and go on: icnctl id migrate; or \
             undo the migration: icnctl id migrate --roll-back; where a key was begun on a token: \
             icnctl id migrate --roll-back --keep-new-key; or have one made without its statement: \
             icnctl id migrate --without-statement. Peers cannot follow then, and have to be told \
             of the new DID"
        }
        M::CannotState { .. } => {
            "see to its device or its files, and go on: icnctl id migrate; if that cannot be, go \
             on without its statement: icnctl id migrate --without-statement. Peers cannot \
             follow then, and have to be told of the new DID"
        }
        M::NotWhole { missing, did, backend } => {
            let home = missing.parent().unwrap_or(missing);
            let named = did.as_ref().map(|did| format!(" --did {did}")).unwrap_or_default();
            let module = match backend {
                BackendKind::Pkcs11 => " --module MODULE",
                _ => "",
            };
            let home = word(home.to_string_lossy().trim_end_matches('/'));
            return Some(format!(
                "put it back from a copy of the directory; or restore the identity elsewhere, \
                 and copy both files: icnctl --home OTHER id restore FILE --identity-file \
                 KEYFILE{named}{module}; then cp OTHER/identity.json OTHER/identity.age {home}; then {}",
                ways_out(WaysOut::OnOrBack)
            ));
        }
        M::NotOfThis { path, .. } => {
            return Some(format!(
                "nothing was removed: put back what was there, or move this away, and run the \
                 command again: {}",
                word(&path.display().to_string())
            ));
        }
        M::JournalThere { .. } => {
            "go on by what it says: icnctl id migrate --status; if it does not fit the files, \
             put the right one back, or move it away and run the command again"
        }
        M::JournalLost { home, from_old: true } => {
            return Some(format!(
                "put it back from a copy of the directory; or have it written again from the \
                 files: icnctl --home {} id migrate --recover",
                word(&home.to_string_lossy())
            ));
        }
        M::Unreadable { .. } | M::JournalLost { .. } => {
            "put it back from a copy of the directory; or have it written again from the files: \
             icnctl id migrate --recover"
        }
        M::Disagrees { .. } => {
            "nothing was removed: put the files and the journal back from one copy of the \
             directory; or move migration.json away, and have it written again: icnctl id \
             migrate --recover"
        }
        M::InTheWay { path } => {
            return Some(format!(
                "if a migration was under way, and migration.json is lost: icnctl id migrate \
                 --recover; otherwise look at what it holds, then move it away: {}",
                word(&path.display().to_string())
            ));
        }
        M::Impossible { .. } => {
            "leave --mode out: a new key is made there, and the old one hands over to it"
        }
        M::Committed { .. } => {
            "hand over to that key (icnctl id rotation create --successor DIR --reason scheduled), and move its identity"
        }
        M::OtherIdentity { .. } => {
            "nothing was changed: find out who has put another identity, or an older journal, \
             there, and put the files and the journal back from one copy of the directory; if the \
             identity that is there is right, move migration.json away, and see what is under way: \
             icnctl id migrate --status"
        }
        M::NotReady { problem, back, .. } => {
            let ways = match back {
                false => ways_out(WaysOut::OnOrBack),
                true => "undo it once more: icnctl id migrate --roll-back",
            };
            let advice = problem.advice();
            return Some(format!("nothing was changed: {advice}. Of the migration: {ways}"));
        }
        M::NotProved { .. } => {
            "the old identity is as it was. Mend what is said above, then go on with it: icnctl \
             id migrate; or undo it: icnctl id migrate --roll-back"
        }
        _ => return error.help(),
    };
    Some(help.to_owned())
}

#[cfg(test)]
mod tests {
    use icn_identity::Did;
    use icn_identity::migrate::MigrationState;
    use icn_identity::rotation::RotationError;

    use super::*;

    /// From each state the ways that lead out of it, and no other.
    #[test]
    fn each_state_of_a_migration_is_answered_by_its_own_ways_out() {
        use MigrationState as S;
        let on = "icnctl id migrate;";
        let [back, keep_new] = ["icnctl id migrate --roll-back", "--keep-new-key"];
        let [finish, keep_old] = ["icnctl id migrate --finish", "--keep-old-key"];
        let before: (&[&str], &[&str]) = (&[on, back], &[finish, keep_new, keep_old]);
        let undone: (&[&str], &[&str]) = (&[back, keep_new], &[on, finish, keep_old]);
        for (state, (ways, others)) in [
            (S::Planned, before),
            (S::BackedUp, before),
            (S::Made, before),
            (S::Proved, before),
            (S::Stated, before),
            (S::Switching, before),
            (S::Switched, (&[finish, back], &[on, keep_new, keep_old])),
            (S::Returning, undone),
            (S::RollingBack, undone),
            (S::Finishing, (&[finish, keep_old], &[on, back, keep_new])),
        ] {
            let (home, to, ways_out) = ("/h".into(), state.as_str(), state.ways_out());
            let error = MigrationError::NotSwitched { home, state: to, ways: ways_out };
            let said = error.on_the_command_line().unwrap();
            assert!(ways.iter().all(|way| said.contains(way)), "{state}: {said}");
            assert!(!others.iter().any(|other| said.contains(other)), "{state}: {said}");
        }
    }

    #[test]
    fn a_successor_that_was_given_up_is_not_advised() {
        let did = Did::parse("did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp").unwrap();
        for (given_up, says, not) in [
            (false, "rotate the successor", "pin this DID again"),
            (true, "pin this DID again", "rotate the successor"),
        ] {
            let error = RotationError::HandedOver { did: did.clone(), to: did.clone(), given_up };
            for said in [error.help().unwrap(), error.on_the_command_line().unwrap()] {
                assert!(said.contains(says) && !said.contains(not), "{said}");
            }
        }
    }
}
