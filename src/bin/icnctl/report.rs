//! What is said of an error: what happened, because of what, and what to try.

use std::error::Error as StdError;

use crate::error::CliError;
use crate::help::Help as _;
use crate::output::{advise, say};

impl CliError {
    pub(crate) fn report(&self) {
        say(&format!("error: {self}"));
        explain(self, self.help());
    }
}

/// What did not keep the command from being done.
pub(crate) fn warn(what: &str, error: &icn_identity::Error) {
    say(&format!("warning: {what}: {error}"));
    explain(error, error.on_the_command_line());
}

fn explain(error: &dyn StdError, help: Option<String>) {
    let (mut said, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        let because = error.to_string();
        // Some errors are shown as their cause is, and name it as well.
        if because != said {
            say(&format!("  because: {because}"));
        }
        (said, cause) = (because, error.source());
    }
    if let Some(help) = help {
        advise(&help);
    }
}
