//! Handshakes in memory, and the words that are spoken over TCP.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use icn_identity::Did;
use icn_identity::peer::VerifiedPeer;
use icn_identity::tls::{Client, Connection, Server, TlsError, accept, connect, server_name};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

/// For all that has to happen soon.
const PATIENCE: Duration = Duration::from_secs(20);

/// The side that ended a handshake, and why.
#[derive(Debug)]
pub(crate) enum Ended {
    ByServer(rustls::Error),
    ByClient(rustls::Error),
}

/// What a side of a handshake is made of: of ours, or of rustls.
pub(crate) trait Begins {
    type Side: Side;
    fn begin(&self) -> Self::Side;
}

impl Begins for Server {
    type Side = Connection;
    fn begin(&self) -> Connection {
        self.connection().unwrap()
    }
}

impl Begins for (&Client, &Did) {
    type Side = Connection;
    fn begin(&self) -> Connection {
        self.0.connection(self.1).unwrap()
    }
}

impl Begins for Arc<ServerConfig> {
    type Side = ServerConnection;
    fn begin(&self) -> ServerConnection {
        ServerConnection::new(self.clone()).unwrap()
    }
}

impl Begins for Arc<ClientConfig> {
    type Side = ClientConnection;
    fn begin(&self) -> ClientConnection {
        ClientConnection::new(self.clone(), server_name()).unwrap()
    }
}

pub(crate) trait Side {
    fn take(&mut self, bytes: &mut &[u8]) -> Result<(), rustls::Error>;
    fn give(&mut self, wire: &mut Vec<u8>);
    fn is_busy(&self) -> bool;
}

impl Side for Connection {
    fn take(&mut self, bytes: &mut &[u8]) -> Result<(), rustls::Error> {
        self.read_tls(bytes).unwrap();
        match self.process() {
            Ok(_) => Ok(()),
            Err(TlsError::Handshake(error)) => Err(error),
            Err(other) => panic!("{other:?}"),
        }
    }
    fn give(&mut self, wire: &mut Vec<u8>) {
        self.write_tls(wire).unwrap();
    }
    fn is_busy(&self) -> bool {
        self.is_handshaking()
    }
}

macro_rules! side {
    ($connection:ty) => {
        impl Side for $connection {
            fn take(&mut self, bytes: &mut &[u8]) -> Result<(), rustls::Error> {
                self.read_tls(bytes).unwrap();
                self.process_new_packets().map(drop)
            }
            fn give(&mut self, wire: &mut Vec<u8>) {
                self.write_tls(wire).unwrap();
            }
            fn is_busy(&self) -> bool {
                self.is_handshaking()
            }
        }
    };
}
side!(ServerConnection);
side!(ClientConnection);

/// A whole handshake in memory.
pub(crate) fn handshake<S: Begins, C: Begins>(
    server: &S,
    client: &C,
) -> Result<(S::Side, C::Side), Ended> {
    let (mut server, mut client) = (server.begin(), client.begin());
    let mut wire = Vec::new();
    for _ in 0..10 {
        client.give(&mut wire);
        carry(&mut wire, &mut server).map_err(Ended::ByServer)?;
        server.give(&mut wire);
        carry(&mut wire, &mut client).map_err(Ended::ByClient)?;
        if !server.is_busy() && !client.is_busy() {
            return Ok((server, client));
        }
    }
    panic!("a handshake that does not end");
}

/// All of it: one read takes 4 kilobytes at most.
fn carry(wire: &mut Vec<u8>, to: &mut impl Side) -> Result<(), rustls::Error> {
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        to.take(&mut rest)?;
    }
    wire.clear();
    Ok(())
}

/// Takes one connection: reads the client's line, answers with the DID that the
/// server knows the client by.
pub(crate) fn serve_one(listener: &TcpListener, server: &Server) -> Result<VerifiedPeer, TlsError> {
    let (socket, _) = listener.accept()?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut stream = accept(socket, server)?;
    let line = read_line(&mut stream)?;
    let peer = stream.peer().clone();
    stream.write_all(format!("{line} from {}\n", peer.did()).as_bytes())?;
    stream.close()?;
    Ok(peer)
}

/// Says a line; gives the answer, and who answered.
pub(crate) fn say(
    address: SocketAddr,
    client: &Client,
    whom: &Did,
    line: &str,
) -> Result<(String, VerifiedPeer), TlsError> {
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut stream = connect(socket, client, whom)?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let answer = read_line(&mut stream)?;
    Ok((answer, stream.peer().clone()))
}

fn read_line(stream: &mut impl std::io::Read) -> std::io::Result<String> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while stream.read(&mut byte)? == 1 && byte != *b"\n" {
        line.extend(byte);
    }
    Ok(String::from_utf8(line).unwrap())
}
