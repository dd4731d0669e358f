//! The peer of a connection, once its handshake is done.

use std::time::SystemTime;

use rustls::{CommonState, HandshakeKind, ProtocolVersion};

use super::DidVerifier;
use crate::clock;
use crate::kind::{ErrorKind, explain};
use crate::peer::{Refusal, VerifiedPeer};

impl DidVerifier {
    /// Who is at the other end of a connection that this verifier accepted.
    ///
    /// Give the connection (`&ServerConnection` and `&ClientConnection`
    /// dereference to [`CommonState`]; with tokio-rustls it is
    /// `stream.get_ref().1`). Certificate, time, policy and sequence number are
    /// checked once more, as of now: on a connection that lives long, ask
    /// again, and close it when the peer is refused. One that was made before
    /// the peer renewed is refused as [`Refusal::Superseded`] once the later
    /// number was seen; the peer makes a new one.
    ///
    /// **What the caller must not do**: ask about a connection whose
    /// configuration has another verifier. That the peer has the certificate's
    /// key was verified in the handshake and cannot be verified again: another
    /// verifier may not have done so.
    ///
    /// On the client this says who the server is, not that the server accepted
    /// the client: in TLS 1.3 the client learns that with the first bytes that
    /// it reads.
    ///
    /// # Errors
    ///
    /// [`PeerError`] if the handshake is not done or was not a full one of TLS
    /// 1.3, or the peer is refused.
    pub fn peer(&self, connection: &CommonState) -> Result<VerifiedPeer, PeerError> {
        self.peer_at(connection, SystemTime::now())
    }

    /// As [`Self::peer`], with the time given by the caller's own clock.
    ///
    /// # Errors
    ///
    /// As [`Self::peer`].
    pub fn peer_at(
        &self,
        connection: &CommonState,
        now: SystemTime,
    ) -> Result<VerifiedPeer, PeerError> {
        if connection.is_handshaking() {
            return Err(PeerError::Handshaking);
        }
        if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
            return Err(PeerError::NotTls13);
        }
        // Also after a HelloRetryRequest, which is a full handshake as well.
        let full = [HandshakeKind::Full, HandshakeKind::FullWithHelloRetryRequest];
        if !connection.handshake_kind().is_some_and(|kind| full.contains(&kind)) {
            return Err(PeerError::Resumed);
        }
        let (certificate, others) = connection
            .peer_certificates()
            .and_then(|certificates| certificates.split_first())
            .ok_or(PeerError::NoCertificate)?;
        if !others.is_empty() {
            return Err(Refusal::Intermediates { count: others.len() }.into());
        }
        let proven = self.check(certificate, None, clock::unix(now))?;
        Ok(VerifiedPeer::new(&proven))
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
    pub const fn kind(&self) -> ErrorKind {
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
                "make the connection with a configuration of `TlsIdentity`, unchanged"
            }
            Self::Refused(refusal) => return refusal.help(),
        };
        Some(help.to_owned())
    }
}
