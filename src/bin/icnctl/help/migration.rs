//! What to try next with a migration.

use icn_identity::error::MigrationError;

use super::Help;

/// Before the new identity is in use.
const ON_OR_BACK: &str =
    "go on with it: icnctl id migrate; or undo it: icnctl id migrate --roll-back";

impl Help for MigrationError {
    fn on_the_command_line(&self) -> Option<String> {
        let help = match self {
            Self::UnderWay { switched: false, .. } | Self::NotSwitched { .. } => ON_OR_BACK,
            Self::UnderWay { switched: true, .. } => {
                "finish it when peers have followed: icnctl id migrate --finish; or undo it: icnctl \
                 id migrate --roll-back"
            }
            Self::NotUnderWay { .. } => {
                "name the --home of an identity that is being moved; `icnctl id migrate --status` \
                 tells"
            }
            Self::Other { .. } => {
                "go on with what is under way: icnctl id migrate; or undo that first: icnctl id \
                 migrate --roll-back"
            }
            Self::NoBackupSaid => {
                "have one made: --recipient age1… -o FILE; or name the one that there is: --backup \
                 FILE --identity-file KEYFILE; or say that there is to be none: --no-backup"
            }
            Self::RollingBack { .. } => "undo it to the end: icnctl id migrate --roll-back",
            Self::Finishing { .. } => "finish it: icnctl id migrate --finish",
            Self::Impossible { .. } => {
                "leave --mode out: a new key is made there, and the old one hands over to it"
            }
            Self::Committed { .. } => {
                "hand over to that key (icnctl id rotation create), and move its identity"
            }
            Self::OtherIdentity { .. } => {
                "find out who has put another identity there; if it is right, undo the migration: \
                 icnctl id migrate --roll-back"
            }
            Self::NotProved { .. } => {
                "the old identity is as it was. Mend what is said above, then go on with it: icnctl \
                 id migrate; or undo it: icnctl id migrate --roll-back"
            }
            _ => return self.help(),
        };
        Some(help.to_owned())
    }
}
