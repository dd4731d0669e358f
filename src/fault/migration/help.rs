//! What to try next with a move to another backend.

use super::super::io::quoted;
use super::{MigrationError, WaysOut};
use crate::locator::BackendKind;

impl MigrationError {
    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::UnderWay { ways, .. } | Self::NotSwitched { ways, .. } => ways.advice(),
            Self::NotInUse { home, ways, .. } => {
                let (home, ways) = (quoted(home), ways.advice());
                return Some(format!("use the identity in {home}. Of its move: {ways}"));
            }
            Self::NotUnderWay { .. } => "name the directory of an identity that is being moved",
            Self::Other { ways: WaysOut::FinishOrBack, .. } => WaysOut::FinishOrBack.advice(),
            Self::Other { .. } => {
                "ask for what is under way, or undo that first (`Migration::roll_back`)"
            }
            Self::NoBackupSaid => {
                "have one made (`BackupFirst::Make`), open the one that there is \
                 (`BackupFirst::Opened`), or say that there is to be none (`BackupFirst::None`)"
            }
            Self::BackupInside { .. } => {
                "name a file outside of the identity's directory, best on another disk"
            }
            Self::RollingBack { .. } => WaysOut::Back.advice(),
            Self::Finishing { .. } => WaysOut::Finish.advice(),
            Self::OtherConfig { expected, .. } => {
                return Some(format!(
                    "name that file; if it was moved since, leave a symbolic link to it at {}",
                    quoted(expected)
                ));
            }
            Self::BackupLost { at_the_end: false, .. } => {
                "nothing was switched: put it back, or go on with another one \
                 (`BackupFirst::Make`, `BackupFirst::Opened`) or with none (`BackupFirst::None`); or \
                 undo the migration (`Migration::roll_back`)"
            }
            Self::BackupLost { at_the_end: true, .. } => {
                "nothing was removed: say where it is now (`BackupAtEnd::At`), or that there is to \
                 be none (`BackupAtEnd::None`)"
            }
            Self::OldLost { at_the_end: true, .. } => {
                "nothing was removed: put the directory back from a copy and call again; if there is \
                 none, leave the key there (`KeyOnToken::Keep`): it is named once more then"
            }
            Self::OldLost { at_the_end: false, .. } => {
                "put the directory back from a copy; if there is none, there is no way back: end the \
                 migration (`Migration::finish`)"
            }
            Self::NewLost { .. } => {
                "nothing was removed: put the directory back from a copy and call again; if there is \
                 none, leave the key there (`KeyOnToken::Keep`): it is named once more then"
            }
            Self::Copy { is_new, of, .. } => {
                let end = if *is_new { "Migration::roll_back" } else { "Migration::finish" };
                return Some(format!(
                    "nothing was removed: call it there (`{end}`). If this directory was only moved, \
                     move it back there or leave a symbolic link to it at {}; to have it done in the \
                     copy alone, leave the key on its token (`KeyOnToken::Keep`)",
                    quoted(of)
                ));
            }
            Self::KeyStays { is_new: true, .. } => {
                "see to the cause and call again; if its device is gone for good, give the key up \
                 (`KeyOnToken::Keep`): it is named once more then"
            }
            Self::KeyStays { is_new: false, .. } => {
                "nothing was removed: see to the cause and call again; if its device is gone for \
                 good, leave the key there (`KeyOnToken::Keep`)"
            }
            Self::DoesNotOpen { is_new: true, .. } => {
                "nothing was removed: see to the cause and call again; if its device is gone for \
                 good, undo the migration (`Migration::roll_back`, with `KeyOnToken::Keep`)"
            }
            Self::DoesNotOpen { is_new: false, ways: WaysOut::OnOrBack, .. } => {
                "nothing was removed: put its files back from a copy, or see to its device, and \
                 call again; if that cannot be, keep the new identity: go on (`Migration::run`), \
                 without the statement of the old key (`MigrationRequest::although_unstated`), and \
                 end the migration (`Migration::finish`); where only a key was begun, leave it on its \
                 token (`Migration::roll_back`, with `KeyOnToken::Keep`)"
            }
            Self::DoesNotOpen { is_new: false, ways: WaysOut::FinishOrBack, .. } => {
                "nothing was removed: put its files back from a copy, or see to its device, and \
                 call again; if that cannot be, keep the new identity: end the migration \
                 (`Migration::finish`)"
            }
            Self::DoesNotOpen { is_new: false, .. } => {
                "nothing was removed: put its files back from a copy, or see to its device, and \
                 call again; if that cannot be, keep the new identity: go on after all \
                 (`Migration::run`), without the statement of the old key if it has made none \
                 (`MigrationRequest::although_unstated`), and end the migration \
                 (`Migration::finish`); where only a key was begun, leave it on its token \
                 (`Migration::roll_back`, with `KeyOnToken::Keep`)"
            }
            Self::NewDoesNotOpen { .. } => {
                "see to the cause and call again; if its device is gone for good, undo the \
                 migration (`Migration::roll_back`; where its token is gone, with \
                 `KeyOnToken::Keep`)"
            }
            Self::CannotState { is_made: false, .. } => {
                "no new key was made: see to its device or its files, and call again; or undo the \
                 migration (`Migration::roll_back`; where a key was begun on a token, with \
                 `KeyOnToken::Keep`); or have one made without the statement \
                 (`MigrationRequest::although_unstated`): peers cannot follow then, and have to be \
                 told of the new DID"
            }
            Self::CannotState { .. } => {
                "see to its device or its files, and call again; if that cannot be, go on without \
                 the statement (`MigrationRequest::although_unstated`): peers cannot follow then, \
                 and have to be told of the new DID"
            }
            Self::NotWhole { .. } => {
                "put it back from a copy of the directory; or restore the identity from a backup in \
                 another directory, and copy its header and its payload from there; then go on \
                 (`Migration::run`), or undo it (`Migration::roll_back`)"
            }
            Self::NotOfThis { path, .. } => {
                return Some(format!(
                    "nothing was removed: put back what was there, or move this away: {}",
                    quoted(path)
                ));
            }
            Self::JournalLost { .. } => {
                "put it back from a copy of the directory, or have it written again from the files \
                 (`Migration::recover`)"
            }
            Self::NotTold { .. } => {
                "put the directories back from a copy; if there is none, look at which identity is in \
                 each of them: one that is of no move is moved away, and is an identity like any \
                 other"
            }
            Self::OldUnknown { staging, .. } => {
                return Some(format!(
                    "the identity that is there opens as it is. If the old one was on a token, look \
                     there for its key, and remove it; then move away what is left of the \
                     migration: {}",
                    quoted(staging)
                ));
            }
            Self::JournalThere { .. } => {
                "go on by what it says (`Migration::status`); if it does not fit the files, put the \
                 right one back, or move it away and have it written again"
            }
            Self::Unreadable { .. } => {
                "have it written again from the files (`Migration::recover`): what is there is put \
                 aside"
            }
            Self::InTheWay { path } => {
                return Some(format!(
                    "if a migration was under way and its journal is lost, have that written again \
                     (`Migration::recover`); otherwise look at what it holds, then move it away: {}",
                    quoted(path)
                ));
            }
            Self::Impossible { from: BackendKind::Age, to: BackendKind::Age, .. } => {
                "make a backup, and restore that on the other machine"
            }
            Self::Impossible { to: BackendKind::Age, .. } => {
                "leave it there; or make another identity in a file, and hand over to that \
                 (`IdentityStore::hand_over`)"
            }
            Self::Impossible { .. } => {
                "make a new key there and hand over to it (`MigrationMode::Rotate`)"
            }
            Self::Committed { .. } => {
                "hand over to the key that was committed to (`IdentityStore::hand_over`), and move \
                 that identity"
            }
            Self::OtherIdentity { .. } => {
                "nothing was changed: find out who has put another identity, or an older journal, \
                 there, and put the files and the journal back from one copy of the directory; if the \
                 identity that is there is right, move the journal away, and see what is under way \
                 (`Migration::lost_journal`)"
            }
            Self::Disagrees { .. } => {
                "nothing was removed: put the files and the journal back from one copy of the \
                 directory; or move the journal away and have it written again \
                 (`Migration::recover`)"
            }
            Self::NotProved { .. } => {
                "the old identity is as it was: mend what the cause names and go on \
                 (`Migration::run`), or undo it (`Migration::roll_back`)"
            }
            Self::NotReady { problem, back, .. } => {
                let ways = match back {
                    false => WaysOut::OnOrBack.advice(),
                    true => "undo it once more (`Migration::roll_back`)",
                };
                let advice = problem.advice();
                return Some(format!("nothing was changed: {advice}. Of the migration: {ways}"));
            }
            Self::NotCompleted { .. } => {
                "make the directory writable, and open the identity again: that completes it"
            }
        };
        Some(help.to_owned())
    }
}
