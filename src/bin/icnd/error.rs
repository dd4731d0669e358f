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

/// The library names its API, and for people it is the command line that does it.
const IN_COMMANDS: [(&str, &str); 12] = [
    ("(`HomeOptions::retry_refused`)", RETRY),
    ("(`HomeOptions::retry_refused`, or another process)", RETRY),
    (
        "(a look at the TPM, which uses no PIN, says after how many seconds)",
        "(after how many seconds is said, without a PIN, by `icnctl tpm check`)",
    ),
    (
        "($XDG_STATE_HOME of a command, `HomeOptions::with_state_directory` of a program)",
        "($XDG_STATE_HOME)",
    ),
    (" (of a program, `HomeOptions::with_state_directory`)", ""),
    ("(`HomeOptions::with_state_directory`)", "($XDG_STATE_HOME)"),
    ("tells the doctor:", "tells `icnctl backend doctor`:"),
    ("the doctor's `TpmReport`", "what `icnctl backend doctor` says"),
    ("`IdentityStore::reseal`", "`icnctl id reseal`"),
    ("`IdentityStore::relocate`", "`icnctl id relocate`"),
    ("`IdentityStore::adopt`", "`icnctl id init --key URI`"),
    ("`IdentityStore::create`", "`icnctl id init`"),
];

const RETRY: &str = "(with `icnctl sign --retry-pin`, as the user of icnd)";

fn by_command(help: &str) -> String {
    IN_COMMANDS.iter().fold(help.to_owned(), |help, (api, command)| help.replace(api, command))
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

    /// What the library does not say any more is found here.
    #[test]
    fn each_phrase_that_is_told_by_a_command_is_one_of_the_library() {
        let sources = [
            include_str!("../../fault/tpm/help.rs"),
            include_str!("../../fault/pkcs11/help.rs"),
            include_str!("../../fault/keystore/help.rs"),
            include_str!("../../keystore/refusals/device.rs"),
        ];
        let joined = |text: &str| -> String {
            text.split("\\\n").map(str::trim_start).collect::<Vec<_>>().concat()
        };
        let texts: Vec<_> = sources.into_iter().map(joined).collect();
        for (api, _) in IN_COMMANDS {
            assert!(texts.iter().any(|text| text.contains(api)), "{api}");
        }
    }
}
