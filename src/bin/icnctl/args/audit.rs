//! `icnctl audit`

use std::path::PathBuf;

use clap::Subcommand;

use super::value::encoded;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Verify the audit log: exit 0 if it is as it was written, 1 if not, 2 if it could not be told.
    /// Says which line was changed, is missing, was moved or cut off
    Verify(VerifyArgs),
    /// Show the last lines of the audit log
    Tail(TailArgs),
    /// Sign what the last line of the audit log is now. Kept elsewhere, it shows later that
    /// nothing before was changed: `icnctl audit verify --checkpoint FILE`
    Checkpoint(CheckpointArgs),
}

impl AuditCommand {
    /// Whether it works anywhere: all that it needs to know is said.
    pub(crate) const fn is_homeless(&self) -> bool {
        match self {
            Self::Verify(args) => {
                !args.files.is_empty() && (args.checkpoint.is_none() || args.did.is_some())
            }
            Self::Tail(args) => args.file.is_some(),
            Self::Checkpoint(_) => false,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// Files of the log, the rotated ones too, in any order [default: the log that is configured,
    /// or audit.log in the home directory]
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// File with a checkpoint that was signed before
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,

    /// Who has to have signed the checkpoint [default: the DID in icn.toml]
    #[arg(long, value_name = "DID", requires = "checkpoint", value_parser = encoded())]
    pub(crate) did: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TailArgs {
    /// File of the log [default: the log that is configured, or audit.log in the home directory]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// How many lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    pub(crate) lines: usize,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckpointArgs {
    /// Write it to this file, which must not exist [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
