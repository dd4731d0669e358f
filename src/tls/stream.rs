//! A connection over a transport that blocks.

use std::fmt;
use std::io::{self, Read, Write};
use std::time::SystemTime;

use rustls::CommonState;

use super::{Client, Connection, PeerError, Server, TlsError};
use crate::did::Did;
use crate::peer::{VerifiedDid, VerifiedPeer};

/// **Blocks** as the transport does. Takes a connection as the side that was called,
/// for instance over a [`TcpStream`](std::net::TcpStream). Returns when the handshake
/// is done: give the transport timeouts, and each connection a thread of its own, so
/// that a peer that falls silent is in nobody's way.
///
/// # Errors
///
/// [`TlsError`] if the peer is refused ([`TlsError::refusal`]) or the transport fails.
pub fn accept<IO: Read + Write>(io: IO, server: &Server) -> Result<Stream<IO>, TlsError> {
    Stream::new(io, server.connection()?)
}

/// **Blocks** as the transport does. Calls a DID: whoever else is at the other end is
/// refused.
///
/// That the server has accepted this side is known when something was read (TLS 1.3).
///
/// # Errors
///
/// As [`accept`].
pub fn connect<IO: Read + Write>(
    io: IO,
    client: &Client,
    did: &Did,
) -> Result<Stream<IO>, TlsError> {
    Stream::new(io, client.connection(did)?)
}

/// A connection whose peer was verified, by [`accept`] or [`connect`]. It reads and writes
/// what is said; it blocks as its transport does.
///
/// An error of a read or write is one of the transport, or one of rustls within it:
/// [`refusal_of`](super::refusal_of).
pub struct Stream<IO> {
    connection: Connection,
    io: IO,
    peer: VerifiedPeer,
}

impl<IO: Read + Write> Stream<IO> {
    fn new(mut io: IO, mut connection: Connection) -> Result<Self, TlsError> {
        connection.handshake(&mut io)?;
        Self::of(io, connection)
    }

    /// The handshake is done.
    pub(super) fn of(io: IO, connection: Connection) -> Result<Self, TlsError> {
        let peer = connection.peer()?;
        Ok(Self { connection, io, peer })
    }

    /// **Blocks** as the transport does. Tells the peer that nothing follows, and
    /// gives the transport back. Without it, the peer cannot tell the end from one
    /// that somebody else made.
    ///
    /// # Errors
    ///
    /// Those of the transport.
    pub fn close(mut self) -> io::Result<IO> {
        self.connection.send_close_notify();
        self.flush()?;
        Ok(self.io)
    }
}

impl<IO> Stream<IO> {
    /// Who is at the other end, as the handshake proved it.
    #[must_use]
    pub const fn peer(&self) -> &VerifiedPeer {
        &self.peer
    }

    /// The DID of the one at the other end.
    #[must_use]
    pub const fn did(&self) -> &VerifiedDid {
        self.peer.did()
    }

    /// **Blocks** on the files of a book, if there is one. Asks once more whether the
    /// peer is accepted, as of now: [`Connection::peer`]. For connections that live
    /// long.
    ///
    /// # Errors
    ///
    /// As [`Connection::peer`]. Close the connection then.
    pub fn check_peer(&self) -> Result<VerifiedPeer, PeerError> {
        self.connection.peer()
    }

    /// **Blocks** on the files of a book, if there is one. As [`Self::check_peer`],
    /// with the time given by the caller's own clock.
    ///
    /// # Errors
    ///
    /// As [`Connection::peer`].
    pub fn check_peer_at(&self, now: SystemTime) -> Result<VerifiedPeer, PeerError> {
        self.connection.peer_at(now)
    }

    /// What was negotiated.
    #[must_use]
    pub fn state(&self) -> &CommonState {
        self.connection.state()
    }

    /// The transport.
    #[must_use]
    pub const fn transport(&self) -> &IO {
        &self.io
    }

    /// The transport, for timeouts and the like. Whoever reads from it or writes to it
    /// breaks the connection.
    pub const fn transport_mut(&mut self) -> &mut IO {
        &mut self.io
    }
}

impl<IO: Read + Write> Read for Stream<IO> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.connection.inner() {
            rustls::Connection::Server(inner) => rustls::Stream::new(inner, &mut self.io).read(buf),
            rustls::Connection::Client(inner) => rustls::Stream::new(inner, &mut self.io).read(buf),
        }
    }
}

impl<IO: Read + Write> Write for Stream<IO> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self.connection.inner() {
            rustls::Connection::Server(inner) => {
                rustls::Stream::new(inner, &mut self.io).write(buf)
            }
            rustls::Connection::Client(inner) => {
                rustls::Stream::new(inner, &mut self.io).write(buf)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.connection.inner() {
            rustls::Connection::Server(inner) => rustls::Stream::new(inner, &mut self.io).flush(),
            rustls::Connection::Client(inner) => rustls::Stream::new(inner, &mut self.io).flush(),
        }
    }
}

impl<IO> fmt::Debug for Stream<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("peer", &self.peer).finish_non_exhaustive()
    }
}
