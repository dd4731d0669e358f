//! `icnctl peer`

use std::path::PathBuf;

use clap::Subcommand;

use super::value::encoded;

#[derive(Debug, clap::Args)]
pub(crate) struct PeerArgs {
    /// Directory of the book of peers [default: peers in the home directory]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) book: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: PeerCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PeerCommand {
    /// Accept a DID, from the next handshake on; or give it another name
    Allow {
        /// As its owner gave it to you, by a way that you trust
        #[arg(value_name = "DID", value_parser = encoded())]
        did: String,

        /// Your name for it, shown in the list
        #[arg(long, value_name = "NAME", default_value = "")]
        name: String,
    },
    /// Refuse a DID from the next handshake on. What was seen of it is kept: older TLS keys of it
    /// stay refused if it is allowed again. An earlier DID of a peer that was followed stands for
    /// its present one
    Remove {
        #[arg(value_name = "DID", value_parser = encoded())]
        did: String,

        /// Forget the chain and the numbers of the DID as well: for one that never comes back
        #[arg(long)]
        forget: bool,
    },
    /// Show who is accepted
    List,
    /// Accept the present DID of a published chain of rotations in the place of an earlier one
    Follow {
        /// Files with chains of one identity; `-` for standard input
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}
