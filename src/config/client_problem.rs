//! What is wrong with a client of the daemon.

use std::fmt;

/// What is wrong with a `[[daemon.client]]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientProblem {
    /// `name` is not 1 to 64 letters, digits, `.`, `_` and `-`.
    Name,
    /// Another one before has the same name.
    SameName,
    /// There is neither `uid` nor `gid`.
    NoPeer,
    /// Another one before has the same `uid` and `gid`: this one would never count.
    SamePeer,
    /// `may` has `sign`, and there is no context.
    NoContext,
    /// `instances` is not from 1 to 31.
    Instances,
    /// With it, the clients that may `tls` have more than 31 instances together.
    TooManyInstances,
}

impl ClientProblem {
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::Name => "set name to 1 to 64 letters, digits, `.`, `_` and `-`",
            Self::SameName => "give each [[daemon.client]] a name of its own",
            Self::NoPeer => {
                "set uid to the number of the user that the client runs as: `id -u USER`"
            }
            Self::SamePeer => "write one [[daemon.client]] for each uid, and for each gid",
            Self::NoContext => {
                "list the contexts that it may have signed for, as contexts = \
                 [\"payments@coop.example\"]"
            }
            Self::Instances => "set instances to a number from 1 to 31",
            Self::TooManyInstances => {
                "set a lower `instances` in each [[daemon.client]] with \"tls\": 31 in all, and 4 \
                 where it is not set"
            }
        }
    }
}

impl fmt::Display for ClientProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "its name is not one",
            Self::SameName => "its name is that of another one",
            Self::NoPeer => "it has neither uid nor gid",
            Self::SamePeer => "its uid and gid are those of another one",
            Self::NoContext => "it may sign, but for no context",
            Self::Instances => "its `instances` are not from 1 to 31",
            Self::TooManyInstances => {
                "with it, the clients that may \"tls\" have more than 31 instances"
            }
        })
    }
}
