//! One side of a connection, and its peer once the handshake is done.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::{CommonState, HandshakeKind, IoState, ProtocolVersion, Reader, Writer};

use super::DidVerifier;
use super::error::{PeerError, TlsError};
use crate::clock;
use crate::did::Did;
use crate::peer::{Refusal, VerifiedPeer};

/// One side of a connection, without a transport: its owner moves the bytes. For those
/// who have none of their own there is [`Stream`](super::Stream).
///
/// It is made by [`Server::connection`](super::Server::connection) and
/// [`Client::connection`](super::Client::connection) only, and its configuration is never
/// shown: that is why [`Self::peer`] can say who is at the other end. Of a connection of
/// rustls that was made elsewhere nobody knows whether, and by whom, the peer was verified.
///
/// The methods are those of [`rustls::Connection`].
pub struct Connection {
    inner: rustls::Connection,
    verifier: Arc<DidVerifier>,
    expected: Option<Did>,
}

impl Connection {
    pub(super) const fn new(
        inner: rustls::Connection,
        verifier: Arc<DidVerifier>,
        expected: Option<Did>,
    ) -> Self {
        Self { inner, verifier, expected }
    }

    /// **Blocks** on the files of a book, if there is one. Who is at the other end.
    ///
    /// Certificate, time, policy and sequence number are checked once more, as of now: on a
    /// connection that lives long, ask again, and close it when the peer is refused. One
    /// that was made before the peer renewed is refused as [`Refusal::Superseded`] once the
    /// later number was seen; the peer makes a new one.
    ///
    /// On the client this says who the server is, not that the server accepted the client:
    /// in TLS 1.3 the client learns that with the first bytes that it reads.
    ///
    /// # Errors
    ///
    /// [`PeerError`] if the handshake is not done, or the peer is refused.
    pub fn peer(&self) -> Result<VerifiedPeer, PeerError> {
        self.peer_at(SystemTime::now())
    }

    /// **Blocks** on the files of a book, if there is one. As [`Self::peer`], with
    /// the time given by the caller's own clock.
    ///
    /// # Errors
    ///
    /// As [`Self::peer`].
    pub fn peer_at(&self, now: SystemTime) -> Result<VerifiedPeer, PeerError> {
        check(&self.verifier, self.expected.as_ref(), &self.inner, now)
    }

    /// Who decides about the peer.
    #[must_use]
    pub const fn verifier(&self) -> &Arc<DidVerifier> {
        &self.verifier
    }

    /// What was negotiated: ALPN protocol, cipher suite, and so on.
    #[must_use]
    pub fn state(&self) -> &CommonState {
        &self.inner
    }

    /// Whether the handshake is not done yet.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.inner.is_handshaking()
    }

    /// Whether bytes of the peer are wanted.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.inner.wants_read()
    }

    /// Whether there are bytes for the peer.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.inner.wants_write()
    }

    /// **Blocks** as the transport does. Takes bytes that the peer has sent; then
    /// call [`Self::process`]. Gives how many bytes.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn read_tls(&mut self, from: &mut dyn Read) -> io::Result<usize> {
        self.inner.read_tls(from)
    }

    /// **Blocks** on the files of a book, if there is one. Acts upon the bytes that
    /// were read.
    ///
    /// # Errors
    ///
    /// [`TlsError::Handshake`] if the peer is refused or the protocol is broken. Then write
    /// what there is to be written, so that the peer learns of it, and give up.
    pub fn process(&mut self) -> Result<IoState, TlsError> {
        Ok(self.inner.process_new_packets()?)
    }

    /// **Blocks** as the transport does. Gives out bytes for the peer, and how
    /// many.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_tls(&mut self, to: &mut dyn Write) -> io::Result<usize> {
        self.inner.write_tls(to)
    }

    /// What the peer has said.
    pub fn reader(&mut self) -> Reader<'_> {
        self.inner.reader()
    }

    /// What is to be said to the peer.
    pub fn writer(&mut self) -> Writer<'_> {
        self.inner.writer()
    }

    /// Tells the peer that nothing follows.
    pub fn send_close_notify(&mut self) {
        self.inner.send_close_notify();
    }

    /// **Blocks** as the transport does. Moves bytes until the handshake is done.
    ///
    /// # Errors
    ///
    /// [`TlsError`] if the transport fails, or as [`Self::process`].
    pub fn handshake<IO: Read + Write>(&mut self, io: &mut IO) -> Result<(), TlsError> {
        while self.inner.is_handshaking() {
            if self.inner.complete_io(io)? == (0, 0) {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
        }
        // The last flight.
        while self.inner.wants_write() {
            if self.inner.write_tls(io)? == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
        }
        Ok(io.flush()?)
    }

    pub(super) const fn inner(&mut self) -> &mut rustls::Connection {
        &mut self.inner
    }
}

/// The connection has this verifier, and it accepted the peer's certificate and the
/// signature of the handshake: the caller has made it so.
pub(super) fn check(
    verifier: &DidVerifier,
    expected: Option<&Did>,
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
    let proven = verifier.check(certificate, None, expected, clock::unix(now))?;
    Ok(VerifiedPeer::new(&proven))
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("expected", &self.expected)
            .field("handshaking", &self.is_handshaking())
            .finish_non_exhaustive()
    }
}
