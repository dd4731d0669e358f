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
    let mut cause = error.source();
    while let Some(error) = cause {
        say(&format!("  because: {error}"));
        cause = error.source();
    }
    if let Some(help) = help {
        advise(&help);
    }
}
