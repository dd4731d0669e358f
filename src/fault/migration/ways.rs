//! What can be done with a move that is under way, and why it cannot be switched to.

/// What can be done with a migration that is under way, by how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaysOut {
    /// The old identity is in use: it is gone on with, or undone.
    OnOrBack,
    /// The new identity is in use: it is ended, or undone.
    FinishOrBack,
    /// It is being undone.
    Back,
    /// It is being ended.
    Finish,
}

impl WaysOut {
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::OnOrBack => {
                "go on with it (`Migration::run`), or undo it (`Migration::roll_back`)"
            }
            Self::FinishOrBack => {
                "end it once peers have followed (`Migration::finish`), or undo it \
                 (`Migration::roll_back`)"
            }
            Self::Back => {
                "undo it to the end (`Migration::roll_back`); if the device of the new key is gone, \
                 give that up (`KeyOnToken::Keep`)"
            }
            Self::Finish => {
                "finish it (`Migration::finish`); if the device of the old key is gone, give that up \
                 (`KeyOnToken::Keep`)"
            }
        }
    }
}

/// What is wrong with what an exchange of both identities would do, before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotReady {
    /// A file of the identity that is to be in use is not there.
    Missing,
    /// Something is where the files of the other one would be put.
    InTheWay,
    /// A link, or a file, is where a directory of the migration has to be.
    NoDirectory,
    /// A directory of the migration is on another file system than the home, or mounted for
    /// itself.
    OtherFileSystem,
    /// It is of another identity than the migration.
    OtherIdentity,
    /// It is not what it was when it was last used.
    Changed,
    /// The old key has not handed over to the new one.
    NotStated,
}

impl NotReady {
    pub(super) const fn found(self) -> &'static str {
        match self {
            Self::Missing => "is not there",
            Self::InTheWay => "is in the way",
            Self::NoDirectory => "is a symbolic link, or no directory",
            Self::OtherFileSystem => "is on another file system, or mounted for itself",
            Self::OtherIdentity => "is of another identity",
            Self::Changed => "is not as it was",
            Self::NotStated => "has no statement by which the old key hands over to the new one",
        }
    }

    /// What to do with it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::InTheWay => "look at what it holds, then move it away",
            Self::NoDirectory | Self::OtherFileSystem => {
                "put a directory there, in the file system of its home, with the same files"
            }
            Self::Missing | Self::OtherIdentity | Self::Changed | Self::NotStated => {
                "put it back from a copy of the directory"
            }
        }
    }
}
