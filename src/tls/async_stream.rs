//! A connection over a transport of tokio.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read as _, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::CommonState;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::spawn_blocking;

use super::{Client, Connection, PeerError, Server, TlsError};
use crate::did::Did;
use crate::peer::{VerifiedDid, VerifiedPeer};

/// As [`accept`](super::accept), for a transport of tokio (features `tls` and `tokio`).
/// Does not block: what a verifier does may take a while, as a book of peers is a file, and
/// is done on tokio's threads for that. Put a timeout around it.
///
/// # Errors
///
/// As [`accept`](super::accept).
///
/// # Panics
///
/// Outside of a runtime of tokio.
pub async fn accept_async<IO>(io: IO, server: &Server) -> Result<AsyncStream<IO>, TlsError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    AsyncStream::new(io, server.connection()?).await
}

/// As [`connect`](super::connect), for a transport of tokio, and otherwise as
/// [`accept_async`].
///
/// # Errors
///
/// As [`connect`](super::connect).
///
/// # Panics
///
/// Outside of a runtime of tokio.
pub async fn connect_async<IO>(
    io: IO,
    client: &Client,
    did: &Did,
) -> Result<AsyncStream<IO>, TlsError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    AsyncStream::new(io, client.connection(did)?).await
}

/// A connection whose peer was verified, by [`accept_async`] or [`connect_async`]: the
/// [`Stream`](super::Stream) of async code.
///
/// `shutdown` tells the peer that nothing follows; without it, the peer cannot tell the end
/// from one that somebody else made.
pub struct AsyncStream<IO> {
    connection: Connection,
    io: IO,
    peer: VerifiedPeer,
    is_closed: bool,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncStream<IO> {
    async fn new(mut io: IO, mut connection: Connection) -> Result<Self, TlsError> {
        loop {
            poll_fn(|cx| poll_flush(&mut connection, &mut io, cx)).await?;
            if !connection.is_handshaking() {
                break;
            }
            if poll_fn(|cx| poll_read_tls(&mut connection, &mut io, cx)).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let processed;
            (connection, processed) = apart(connection, Connection::process).await?;
            if let Err(error) = processed {
                // So that the peer learns of it.
                let _ = poll_fn(|cx| poll_flush(&mut connection, &mut io, cx)).await;
                return Err(error);
            }
        }
        let (connection, peer) = apart(connection, |connection| connection.peer()).await?;
        Ok(Self { connection, io, peer: peer?, is_closed: false })
    }
}

/// On a thread that may block: verifiers and their stores do.
async fn apart<T: Send + 'static>(
    mut connection: Connection,
    work: impl FnOnce(&mut Connection) -> T + Send + 'static,
) -> Result<(Connection, T), TlsError> {
    let done = spawn_blocking(move || {
        let done = work(&mut connection);
        (connection, done)
    });
    Ok(done.await.map_err(io::Error::other)?)
}

impl<IO> AsyncStream<IO> {
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
    /// peer is accepted, as of now: [`Connection::peer`].
    ///
    /// # Errors
    ///
    /// As [`Connection::peer`]. Close the connection then.
    pub fn check_peer(&self) -> Result<VerifiedPeer, PeerError> {
        self.connection.peer()
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
}

/// The transport as the connection wants it: what is not ready would block.
struct Blocking<'a, 'c, IO> {
    io: &'a mut IO,
    cx: &'a mut Context<'c>,
}

impl<IO: AsyncRead + Unpin> io::Read for Blocking<'_, '_, IO> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        match Pin::new(&mut *self.io).poll_read(self.cx, &mut buf) {
            Poll::Ready(read) => read.map(|()| buf.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<IO: AsyncWrite + Unpin> io::Write for Blocking<'_, '_, IO> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.io).poll_write(self.cx, buf) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ready<T>(done: io::Result<T>) -> Poll<io::Result<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        done => Poll::Ready(done),
    }
}

fn poll_read_tls<IO: AsyncRead + Unpin>(
    connection: &mut Connection,
    io: &mut IO,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    ready(connection.read_tls(&mut Blocking { io, cx }))
}

/// Gives all that there is to the transport.
fn poll_write_tls<IO: AsyncWrite + Unpin>(
    connection: &mut Connection,
    io: &mut IO,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while connection.wants_write() {
        let written = ready!(ready(connection.write_tls(&mut Blocking { io, cx })))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
    }
    Poll::Ready(Ok(()))
}

fn poll_flush<IO: AsyncWrite + Unpin>(
    connection: &mut Connection,
    io: &mut IO,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    ready!(poll_write_tls(connection, io, cx))?;
    Pin::new(io).poll_flush(cx)
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for AsyncStream<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { connection, io, .. } = self.get_mut();
        loop {
            match connection.reader().read(buf.initialize_unfilled()) {
                Ok(read) => {
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            ready!(poll_read_tls(connection, io, cx))?;
            let processed = connection.process();
            // An answer of the protocol, as an alert. If the transport takes none now, it
            // goes out with what is written next; reading does not wait for it.
            if let Poll::Ready(Err(error)) = poll_write_tls(connection, io, cx)
                && processed.is_ok()
            {
                return Poll::Ready(Err(error));
            }
            if let Err(error) = processed {
                return Poll::Ready(Err(error.into_io()));
            }
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for AsyncStream<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { connection, io, .. } = self.get_mut();
        // What waits goes first, so that no more than one write is ever kept here.
        ready!(poll_write_tls(connection, io, cx))?;
        let taken = connection.writer().write(buf)?;
        match poll_write_tls(connection, io, cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // Taken it is; the rest goes out with the next write, or a flush.
            _ => Poll::Ready(Ok(taken)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { connection, io, .. } = self.get_mut();
        poll_flush(connection, io, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { connection, io, is_closed, .. } = self.get_mut();
        if !std::mem::replace(is_closed, true) {
            connection.send_close_notify();
        }
        ready!(poll_write_tls(connection, io, cx))?;
        Pin::new(io).poll_shutdown(cx)
    }
}

impl<IO> fmt::Debug for AsyncStream<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncStream").field("peer", &self.peer).finish_non_exhaustive()
    }
}
