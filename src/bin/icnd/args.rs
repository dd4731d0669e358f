//! What `icnd` is started with.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Keeps the key of one identity open, and uses it for the programs that `[[daemon.client]]`
/// in `icn.toml` lists.
#[derive(Debug, Parser)]
#[command(name = "icnd", version)]
pub(crate) struct Args {
    /// The directory of the identity [default: $ICN_HOME, else ~/.icn]
    #[arg(long, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// The configuration [default: icn.toml in the home]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A file with the PIN, of mode 0600 [default: `pin` in $CREDENTIALS_DIRECTORY, else
    /// $ICN_PIN, else a question]
    #[arg(long, value_name = "FILE")]
    pub(crate) pin_file: Option<PathBuf>,
    /// A file with the passphrase, of mode 0600 [default: `passphrase` in
    /// $CREDENTIALS_DIRECTORY, else $ICN_PASSPHRASE, else a question]
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// How the log on standard error is written
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// How much is logged: off, error, warn, info, debug or trace. Never a secret
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: tracing_subscriber::filter::LevelFilter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

impl Args {
    /// The directory of the identity.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        let of_user = || std::env::home_dir().map(|home| home.join(".icn"));
        let of_environment = || std::env::var_os("ICN_HOME").filter(|home| !home.is_empty());
        self.home.clone().or_else(|| of_environment().map(PathBuf::from)).or_else(of_user)
    }
}
