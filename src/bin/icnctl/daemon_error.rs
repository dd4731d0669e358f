//! Why `icnd` did not do it, and what to do then.

use std::io;
use std::path::PathBuf;

use icn_identity::ErrorKind;
use icn_identity::client::ClientError;
use icn_identity::daemon::ProblemCode as Code;

/// For uses of the key, that can be had without it.
const PAST_IT: &str = "; or have the key used here, past icnd and what it allows: --direct";

#[derive(Debug, thiserror::Error)]
#[error("icnd at {} {}", socket.display(), what_it_did(source))]
pub(crate) struct DaemonError {
    socket: PathBuf,
    /// Whether the command can do without it.
    is_use_of_key: bool,
    source: ClientError,
}

fn what_it_did(error: &ClientError) -> &'static str {
    match error {
        ClientError::Problem(_) => "was asked, and has refused",
        ClientError::Connect { .. } => "cannot be reached",
        ClientError::RequestTooLong { .. } => "takes no request that is so long",
        ClientError::Closed | ClientError::Deadline { .. } | ClientError::Io(_) => {
            "was asked, and has not answered"
        }
        ClientError::NotToldWhetherOpened(source) => match **source {
            ClientError::Problem(_) => {
                "was asked, and has not said whether the credential was used"
            }
            _ => what_it_did(source),
        },
        _ => "is not used: it may be somebody else",
    }
}

/// That no socket is there, or one that a process has left that was killed.
pub(crate) fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

impl DaemonError {
    /// That the key was not used, which is here too or is not.
    pub(crate) const fn of_use(socket: PathBuf, has_key_here: bool, source: ClientError) -> Self {
        Self { socket, is_use_of_key: has_key_here, source }
    }

    /// That `icnd` itself was not told something.
    pub(crate) const fn of_itself(socket: PathBuf, source: ClientError) -> Self {
        Self { socket, is_use_of_key: false, source }
    }

    /// Also of a device that takes no PIN until a person sees to it. One that frees itself says
    /// when to come again.
    pub(crate) fn is_wrong_credential(&self) -> bool {
        match self.source.kind() {
            ErrorKind::LockedOut => self.source.retry_after().is_none(),
            kind => kind == ErrorKind::WrongCredential,
        }
    }

    pub(crate) fn help(&self) -> Option<String> {
        let (help, helps_past_it) = self.ways();
        let past_it = if self.is_use_of_key && helps_past_it { PAST_IT } else { "" };
        Some(format!("{}{past_it}", help?))
    }

    /// What to try, and whether the key could be used without `icnd`.
    fn ways(&self) -> (Option<String>, bool) {
        let own = |help: &str| Some(help.to_owned());
        match (&self.source, self.source.problem().and_then(|problem| problem.code)) {
            (_, Some(Code::Locked)) => (own("unlock it: icnctl unlock"), true),
            (_, Some(Code::ReservedMessage)) => {
                (own("sign it for a context of your protocol: --context NAME"), false)
            }
            // The key itself, or what it writes, would refuse here, too.
            (
                _,
                Some(
                    Code::NotARecipient
                    | Code::CredentialRefused
                    | Code::LockedOut
                    | Code::DeviceAway
                    | Code::AuditUnwritable,
                ),
            ) => (self.source.help(), false),
            (ClientError::RequestTooLong { .. }, _) | (_, Some(Code::TooLarge)) => {
                (own("sign it for a context (--context NAME), of which the hash is sent"), true)
            }
            (ClientError::Connect { source, .. }, _) if is_nobody(source) => (
                own("start icnd; if it listens elsewhere, set `socket` under [daemon] in icn.toml"),
                false,
            ),
            (ClientError::Owner { found, .. }, _) => (
                Some(format!(
                    "find out who listens there; if that user is the one that icnd runs as, say so: \
                     owner = {found} under [daemon] in icn.toml"
                )),
                true,
            ),
            (ClientError::NotASocket { .. }, _) => (
                own("find out who listens there; if icnd listens elsewhere, set `socket` under \
                     [daemon] in icn.toml"),
                true,
            ),
            (ClientError::NotToldWhetherOpened(_), _) => (
                own(
                    "look first whether it is unlocked, and do not send the same one again before: \
                     icnctl status",
                ),
                false,
            ),
            (ClientError::OtherDid { .. }, _) => (
                own(
                    "restart icnd if this identity has taken the place of another; if icnd listens \
                     elsewhere, set `socket` under [daemon] in icn.toml",
                ),
                true,
            ),
            _ => (self.source.help(), true),
        }
    }
}
