//! Why `icnd` did not start.

use std::error::Error as StdError;
use std::io::{self, Write as _};
use std::path::PathBuf;

use icn_identity::Error;
use icn_identity::audit::AuditError;

use crate::instance::NotTaken;

/// `EX_NOPERM`: a PIN or passphrase was refused. For systemd's
/// `RestartPreventExitStatus=77`, so that no restart spends another try.
const WRONG_CREDENTIAL: u8 = 77;

#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Identity(#[from] Error),
    #[error("the audit log cannot be used")]
    Audit(#[from] AuditError),
    #[error("there is no home directory to look for the identity in")]
    NoHome,
    #[error("{holder} has this identity already")]
    Running { holder: String },
    #[error("a process listens on {} already", path.display())]
    SocketInUse { path: PathBuf },
    #[error("{} is there already, and is no socket", path.display())]
    NotASocket { path: PathBuf },
    #[error("the path of the socket is longer than a socket may have: {}", path.display())]
    LongPath { path: PathBuf },
    #[error("{} does not say which client has which instance", path.display())]
    Instances { path: PathBuf },
    #[error("cannot {what} {}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot {what}")]
    System { what: &'static str, source: io::Error },
}

/// The library names its API where it can be told to send a PIN once more: for people it is the
/// command line that does it.
fn by_command(help: &str) -> String {
    let by = "with `icnctl sign --retry-pin`, as the user of icnd";
    help.replace("(`HomeOptions::retry_refused`)", &format!("({by})"))
        .replace("(`HomeOptions::retry_refused`, or another process)", &format!("({by})"))
}

impl From<NotTaken> for StartError {
    fn from(error: NotTaken) -> Self {
        match error {
            NotTaken::Held { holder, .. } => Self::Running { holder },
            NotTaken::File { what, path, source } => Self::File { what, path, source },
        }
    }
}

impl StartError {
    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Identity(error) => return error.help().map(|help| by_command(&help)),
            Self::Audit(error) => return error.help(),
            Self::NoHome => "name the directory of the identity: icnd --home DIR",
            Self::Running { .. } => {
                "wait for its end, or stop it: one icnd serves an identity, and none while it is changed"
            }
            Self::SocketInUse { .. } => {
                "stop that process, or name another path: `socket` in [daemon] of icn.toml"
            }
            Self::NotASocket { .. } => {
                "move it away, or name another path: `socket` in [daemon] of icn.toml"
            }
            Self::LongPath { .. } => {
                "name a shorter path, of at most 107 bytes: `socket` in [daemon] of icn.toml"
            }
            Self::Instances { .. } => {
                "put a copy of it back; without one, move it away: from then on a client can have \
                 the instance of another one"
            }
            Self::File { .. } => "see why, and correct owner and mode of the directory",
            Self::System { .. } => "see why: it is the cause of this error",
        };
        Some(help.to_owned())
    }

    /// With which status the process ends.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Identity(error) if error.is_wrong_credential() => WRONG_CREDENTIAL,
            _ => 1,
        }
    }

    /// To standard error, for people.
    pub(crate) fn report(&self) {
        let mut text = format!("icnd: {self}\n");
        let mut cause = self.source();
        if let Self::Identity(error) = self {
            cause = error.source();
        }
        while let Some(error) = cause {
            text.push_str(&format!("  because: {error}\n"));
            cause = error.source();
        }
        if let Some(help) = self.help() {
            text.push_str(&format!("  try: {help}\n"));
        }
        // Nobody is left to be told that this failed.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}
