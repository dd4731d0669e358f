//! `icnctl id rotation`

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use icn_identity::rotation::RotationReason;

use super::value::{a_file, a_home, encoded};

#[derive(Debug, Subcommand)]
pub(crate) enum RotationCommand {
    /// State that a successor takes over from this identity, signed by both keys.
    ///
    /// --home names the old identity, --successor the new one, made before with `id init`. The
    /// whole chain is stored in the successor; nothing of the old identity is changed. Make one
    /// statement only of each key: two are a fork, and peers refuse both.
    Create(CreateArgs),
    /// Show the chain of keys that ends in this identity (wants its PIN or passphrase)
    Show(ShowArgs),
    /// Verify a published chain, offline: exit 0 if valid, 1 if not, 2 if it could not be read.
    ///
    /// Wants no home and no identity. With several files, their statements are put together: that
    /// is how a fork is found.
    ///
    /// Keep the chain that you have followed, and not only the DID that it led to, and give it with
    /// --known the next time. Without it, a chain is only as good as if no commitment had been made
    /// before the DID that you have pinned: whoever has that key can leave out the statement that
    /// commits to the next, or put another in its place.
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// Home directory of the identity that takes over
    #[arg(long, value_name = "DIR", value_parser = a_home())]
    pub(crate) successor: PathBuf,

    /// Why. It may be left out, with --commit-next, where this rotation was stated before: what was
    /// stated is taken then
    #[arg(long, value_enum)]
    pub(crate) reason: Option<Reason>,

    /// Make another statement although this identity has handed over already: a fork for everybody who
    /// has seen the first one
    #[arg(long)]
    pub(crate) again: bool,

    /// Commit to the key that comes after the successor's: no other can. It must exist already, be
    /// kept apart from the successor's, and not get lost
    #[arg(long, value_name = "DID", value_parser = encoded())]
    pub(crate) commit_next: Option<String>,

    /// Give the successor the X25519 key of this identity too, and those that it has of older ones:
    /// `decrypt` then opens with the successor what was encrypted to the old DID. It is offered to
    /// nobody. May be run again to do so later
    #[arg(long)]
    pub(crate) carry_decryption_key: bool,

    /// Write the chain to a new file as well, for publishing
    #[arg(long, short, value_name = "FILE", value_parser = a_file())]
    pub(crate) output: Option<PathBuf>,

    /// File whose content is the successor's passphrase (mode 0600) [or a prompt]
    #[arg(long, value_name = "FILE")]
    pub(crate) successor_passphrase_file: Option<PathBuf>,

    /// File whose content is the PIN of the successor's key (mode 0600) [or a prompt]
    #[arg(long, value_name = "FILE")]
    pub(crate) successor_pin_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Write the chain to a new file as well, for publishing
    #[arg(long, short, value_name = "FILE", value_parser = a_file())]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// Files with chains of one identity; `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// The DID under which the identity is known: not valid if it is not in the chain
    #[arg(long, value_name = "DID", value_parser = encoded())]
    pub(crate) from: Option<String>,

    /// File with the chain that was followed before: not valid if this one does not go on from it
    #[arg(long, value_name = "FILE")]
    pub(crate) known: Option<PathBuf>,

    /// What the present DID has to be: not valid if it is another
    #[arg(long, value_name = "DID", value_parser = encoded())]
    pub(crate) expect: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reason {
    /// By plan
    Scheduled,
    /// The old key is, or may be, in other hands
    Compromised,
    /// To a better place, as from a file into a device
    Upgrade,
    /// Anything else
    Manual,
}

impl From<Reason> for RotationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Scheduled => Self::Scheduled,
            Reason::Compromised => Self::Compromised,
            Reason::Upgrade => Self::Upgrade,
            Reason::Manual => Self::Manual,
        }
    }
}
