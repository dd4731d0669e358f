//! `icnctl config`

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print a configuration that names every field, with its meaning and its default, each
    /// commented out: `icnctl config template > icn.toml`, in the home, is one to begin with
    Template,
    /// Show what would be used and why: which files, which value of each field by which line or
    /// default, where PIN and passphrase come from. Asks no device. Exit 1 if something is missing
    Check,
}
