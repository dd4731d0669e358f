//! Why there is no connection.

use std::{fmt, io};

use super::refusal_of;
use crate::kind::{ErrorKind, explain};
use crate::peer::Refusal;

/// Why a connection was not made, or broke.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The transport failed, or ended.
    Transport(io::Error),
    /// The handshake failed here, or the peer ended it: also where the peer is refused,
    /// which [`Self::refusal`] tells.
    Handshake(rustls::Error),
    /// The handshake is done, and the peer is refused all the same.
    Peer(PeerError),
}

explain!(TlsError);

impl TlsError {
    /// Why this side refused the peer, if it did.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Transport(error) => refusal_of(error),
            Self::Handshake(error) => refusal_of(error),
            Self::Peer(PeerError::Refused(refusal)) => Some(refusal),
            Self::Peer(_) => None,
        }
    }

    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match (self.refusal(), self) {
            (Some(refusal), _) => refusal.kind(),
            (None, Self::Transport(error)) => ErrorKind::of_io(error),
            (None, Self::Handshake(error)) => kind_of(error),
            (None, Self::Peer(error)) => error.kind(),
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        if let Some(refusal) = self.refusal() {
            return refusal.help();
        }
        let help = match self {
            Self::Transport(_) => "check that the peer can be reached, and its log",
            Self::Handshake(rustls::Error::AlertReceived(_)) => {
                "the peer has refused this side: its log says why; perhaps the DID of this \
                 identity has to be added to those accepted there"
            }
            Self::Handshake(_) => "check that the peer speaks this protocol: mutual TLS 1.3",
            Self::Peer(error) => return error.help(),
        };
        Some(help.to_owned())
    }
}

/// What rustls says; its enum grows.
pub(crate) fn kind_of(error: &rustls::Error) -> ErrorKind {
    use rustls::Error as Tls;
    match error {
        Tls::AlertReceived(_) => ErrorKind::External,
        Tls::PeerIncompatible(_) => ErrorKind::Unsupported,
        Tls::FailedToGetRandomBytes => ErrorKind::Randomness,
        Tls::FailedToGetCurrentTime => ErrorKind::Clock,
        Tls::General(_) | Tls::InconsistentKeys(_) => ErrorKind::Misuse,
        Tls::HandshakeNotComplete | Tls::BadMaxFragmentSize | Tls::EncryptError => {
            ErrorKind::Misuse
        }
        _ => ErrorKind::Untrusted,
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.refusal(), self) {
            (Some(refusal), _) => refusal.fmt(f),
            (None, Self::Transport(_)) => f.write_str("the transport of a connection failed"),
            (None, Self::Handshake(_)) => f.write_str("the TLS handshake failed"),
            (None, Self::Peer(error)) => error.fmt(f),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match (self.refusal(), self) {
            (Some(refusal), _) => std::error::Error::source(refusal),
            (None, Self::Transport(error)) => Some(error),
            (None, Self::Handshake(error)) => Some(error),
            (None, Self::Peer(error)) => std::error::Error::source(error),
        }
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Handshake(error)
    }
}

impl From<io::Error> for TlsError {
    /// One of rustls within it is one of the handshake.
    fn from(error: io::Error) -> Self {
        match error.downcast() {
            Ok(error) => Self::Handshake(error),
            Err(error) => Self::Transport(error),
        }
    }
}

#[cfg(feature = "tokio")]
impl TlsError {
    /// As rustls' own streams say it.
    pub(super) fn into_io(self) -> io::Error {
        match self {
            Self::Transport(error) => error,
            Self::Handshake(error) => io::Error::new(io::ErrorKind::InvalidData, error),
            Self::Peer(error) => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}

impl From<PeerError> for TlsError {
    fn from(error: PeerError) -> Self {
        Self::Peer(error)
    }
}

/// Why nothing is said about the peer of a connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// Nothing is proven until the handshake is done.
    #[error("the handshake is not done")]
    Handshaking,
    /// Another version of TLS: the connection has another configuration.
    #[error("the connection is not one of TLS 1.3")]
    NotTls13,
    /// A resumed session passes the verifier by.
    #[error("the session was resumed")]
    Resumed,
    /// The peer has shown no certificate.
    #[error("the peer has shown no certificate")]
    NoCertificate,
    /// The peer is refused.
    #[error("the peer is refused")]
    Refused(#[from] Refusal),
}

explain!(PeerError);

impl PeerError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Handshaking | Self::NotTls13 | Self::Resumed | Self::NoCertificate => {
                ErrorKind::Misuse
            }
            Self::Refused(refusal) => refusal.kind(),
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Handshaking => "ask when the handshake is done",
            Self::NotTls13 | Self::Resumed | Self::NoCertificate => {
                "make the connection by a `Server` or `Client` of this crate"
            }
            Self::Refused(refusal) => return refusal.help(),
        };
        Some(help.to_owned())
    }
}
