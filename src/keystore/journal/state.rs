//! How an identity is moved, how far that is, and what can be done from there.

use crate::encoding::named;
use crate::error::WaysOut;

/// How an identity is moved to another backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum MigrationMode {
    /// A key is born there, and the old one hands over to it: another DID, which peers
    /// follow, and the provenance that the device's evidence shows.
    #[default]
    Rotate,
    /// The key itself is written into the device: the same DID. Copies of the key may exist,
    /// and its type says so for ever.
    Import,
}

named! {
    /// The name used in files and on the command line: `rotate`, `import`.
    MigrationMode, "a mode of migration": Rotate => "rotate", Import => "import"
}

/// How far a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MigrationState {
    /// Begun: nothing is made.
    Planned,
    /// The old identity has opened, and its backup is there, if one is wanted.
    BackedUp,
    /// The new identity is whole, in a directory of its own.
    Made,
    /// A new process has opened and used it.
    Proved,
    /// The old key has handed over to it.
    Stated,
    /// It takes the place of the old one, as soon as the configuration names it.
    Switching,
    /// It is in use, and the old one is kept.
    Switched,
    /// The old one takes its place again, as soon as the configuration names it.
    Returning,
    /// What was made is being removed.
    RollingBack,
    /// The old identity is being removed.
    Finishing,
}

named! {
    /// The name used in files and in JSON: `planned`, `backed-up`, …
    MigrationState, "a state of a migration":
    Planned => "planned",
    BackedUp => "backed-up",
    Made => "made",
    Proved => "proved",
    Stated => "stated",
    Switching => "switching",
    Switched => "switched",
    Returning => "returning",
    RollingBack => "rolling-back",
    Finishing => "finishing"
}

impl MigrationState {
    /// What can be done from there.
    #[must_use]
    pub const fn ways_out(self) -> WaysOut {
        match self {
            Self::Planned
            | Self::BackedUp
            | Self::Made
            | Self::Proved
            | Self::Stated
            | Self::Switching => WaysOut::OnOrBack,
            Self::Switched => WaysOut::FinishOrBack,
            Self::Returning | Self::RollingBack => WaysOut::Back,
            Self::Finishing => WaysOut::Finish,
        }
    }
}

/// Which of the two identities of a migration one is, that is not in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MigrationPart {
    /// The old one, which is kept whole after the switch.
    Old,
    /// The new one, before the switch.
    New,
}

named! {
    /// The name used in JSON: `old`, `new`.
    MigrationPart, "a part of a migration": Old => "old", New => "new"
}
