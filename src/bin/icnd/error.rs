//! Why `icnd` did not start.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use icn_identity::Error;
use icn_identity::audit::AuditError;
use icn_identity::config::Config;
use icn_identity::error::KeystoreError;

use crate::audit::NotReplaced;
use crate::instance::NotTaken;
use crate::words::of_operator;

/// `EX_NOPERM`: a PIN or passphrase was refused. For systemd's
/// `RestartPreventExitStatus=77`, so that no restart spends another try.
const WRONG_CREDENTIAL: u8 = 77;

#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Identity(#[from] Error),
    #[error("the audit log cannot be used")]
    Audit(#[from] AuditError),
    #[error(
        "the audit log in use cannot take its last line, so another `path` under [audit] is not used"
    )]
    LastLine(#[source] AuditError),
    #[error("icnd is about to stop")]
    Stopping,
    #[error("a part of icnd has ended, without which it cannot {what}")]
    Part { what: &'static str, source: io::Error },
    #[error("there is no home directory to look for the identity in")]
    NoHome,
    #[error("{holder} has this identity already")]
    Running { holder: String },
    #[error("a process listens on {} already{key}", path.display())]
    SocketInUse { path: PathBuf, key: Key },
    #[error("{} is there already, and is no socket{key}", path.display())]
    NotASocket { path: PathBuf, key: Key },
    #[error("the path of the socket is longer than a socket may have: {}{key}", path.display())]
    LongPath { path: PathBuf, key: Key },
    #[error("cannot {what} {}{key}", path.display())]
    Socket { what: &'static str, path: PathBuf, key: Key, source: io::Error },
    #[error("there cannot be a socket{key}")]
    Place { key: Key, source: Box<KeystoreError> },
    #[error("cannot listen on {address}{key}")]
    Address { key: Key, address: SocketAddr, source: io::Error },
    #[error("{} does not say which client has which instance", path.display())]
    Instances { path: PathBuf },
    #[error("cannot {what} {}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot {what}")]
    System { what: &'static str, source: io::Error },
}

/// Where in the configuration something is said.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    name: &'static str,
    /// File and line; `None` where it is not written.
    place: Option<(PathBuf, usize)>,
}

impl Key {
    /// A key of `[daemon]`.
    pub(crate) fn of(name: &'static str, config: &Path) -> Self {
        let explained = Config::explain_file(config).ok();
        let line = explained.and_then(|explained| {
            let table = explained.tables.into_iter().find(|table| table.name == "daemon")?;
            table.settings.iter().find(|setting| setting.name == name)?.line
        });
        Self { name, place: line.map(|line| (config.to_owned(), line)) }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some((file, line)) => {
                write!(f, " (`{}` in [daemon]: {}, line {line})", self.name, file.display())
            }
            None => Ok(()),
        }
    }
}

/// What to do about an address.
fn about_address(key: &str, error: &io::Error, address: SocketAddr) -> String {
    let (what, port) = (format!("`{key}` under [daemon] in icn.toml"), address.port());
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "stop the program that listens there (ss -ltnp 'sport = :{port}'), or set {what} to \
             another port"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("set {what} to an address that this machine has (ip address), or to 0.0.0.0")
        }
        io::ErrorKind::PermissionDenied => {
            format!("set {what} to a port from 1024 on; lower ones are for root")
        }
        _ => format!("set {what} to an address that this machine can listen on"),
    }
}

impl From<NotReplaced> for StartError {
    fn from(error: NotReplaced) -> Self {
        match error {
            NotReplaced::Last(error) => Self::LastLine(error),
            NotReplaced::First(error) => Self::Audit(error),
        }
    }
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
    pub(crate) fn help(&self) -> Option<String> {
        let help = match self {
            Self::Identity(error) => return error.help().map(|help| of_operator(&help)),
            Self::Audit(error) => return error.help().map(|help| of_operator(&help)),
            Self::LastLine(error) => {
                let first = error.help().map_or_else(String::new, |help| of_operator(&help));
                return Some(format!(
                    "{first}, and send SIGHUP again; or restart icnd, which then begins with the \
                     other one"
                ));
            }
            Self::Stopping => "start icnd again: it reads icn.toml then",
            Self::Part { .. } => {
                "start icnd again, and report what its log says before this (with the line that \
                 has \"panicked\" in it)"
            }
            Self::NoHome => "name the directory of the identity: icnd --home DIR",
            Self::Running { .. } => {
                "wait for its end, or stop it: one icnd serves an identity, and none while it is changed"
            }
            Self::Place { source, .. } => {
                return source.help().map(|help| {
                    format!(
                        "{}; or name another path: `socket` in [daemon] of icn.toml",
                        of_operator(&help)
                    )
                });
            }
            Self::Address { key, address, source } => {
                return Some(about_address(key.name, source, *address));
            }
            Self::Socket { .. } => {
                "see why; the directory of the socket has to be there and writable for this user, or \
                 name another path: `socket` in [daemon] of icn.toml"
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
            Self::File { .. } => {
                "see why, and correct owner and mode of the file and of its directory"
            }
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

#[cfg(test)]
mod tests {
    use icn_identity::error::{DeviceError, KeystoreError, Pkcs11Error, TpmError};

    use super::*;

    fn no_note() -> Box<KeystoreError> {
        KeystoreError::NotADirectory { path: "p".into() }.into()
    }

    fn of_devices() -> Vec<Error> {
        let tpm = |error: TpmError| Error::from(DeviceError::from(error));
        let token = |error: Pkcs11Error| Error::from(DeviceError::from(error));
        let (t, repair) = ("t".to_owned(), "r".to_owned());
        vec![
            tpm(TpmError::FinalTry),
            tpm(TpmError::PinInDoubt),
            tpm(TpmError::NotConfiguredParent { configured: t.clone(), found: t.clone() }),
            tpm(TpmError::ParentChanged { handle: 1, expected: t.clone(), found: t.clone() }),
            tpm(TpmError::PolicyRefused { source: no_note() }),
            token(Pkcs11Error::PinInDoubt { token: t.clone() }),
            token(Pkcs11Error::PinNotNoted { token: t, repair, source: no_note() }),
        ]
    }

    /// Whoever reads the journal of a service has commands, and no API.
    #[test]
    fn why_it_does_not_start_is_told_with_commands() {
        for error in of_devices() {
            let help = StartError::Identity(error).help().unwrap();
            for api in ["HomeOptions", "IdentityStore", "TpmReport", "the doctor", "a look at"] {
                assert!(!help.contains(api), "{api}: {help}");
            }
        }
        let last = StartError::Identity(DeviceError::from(TpmError::FinalTry).into());
        assert!(last.help().unwrap().contains("`icnctl tpm check`"), "{:?}", last.help());
    }
}
