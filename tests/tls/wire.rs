//! Handshakes in memory, and the words that are spoken over TCP.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use icn_identity::peer::VerifiedPeer;
use icn_identity::tls::{DidVerifier, server_name};
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, ServerConfig, ServerConnection, Stream,
};

/// For all that has to happen soon.
const PATIENCE: Duration = Duration::from_secs(20);

/// The side that ended a handshake, and why.
#[derive(Debug)]
pub(crate) enum Ended {
    ByServer(rustls::Error),
    ByClient(rustls::Error),
}

/// A whole handshake in memory.
pub(crate) fn handshake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
) -> Result<(ServerConnection, ClientConnection), Ended> {
    let mut server = ServerConnection::new(server.clone()).unwrap();
    let mut client = ClientConnection::new(client.clone(), server_name()).unwrap();
    let mut wire = Vec::new();
    for _ in 0..10 {
        client.write_tls(&mut wire).unwrap();
        carry(&mut wire, &mut server).map_err(Ended::ByServer)?;
        server.write_tls(&mut wire).unwrap();
        carry(&mut wire, &mut client).map_err(Ended::ByClient)?;
        if !server.is_handshaking() && !client.is_handshaking() {
            return Ok((server, client));
        }
    }
    panic!("a handshake that does not end");
}

/// All of it: one read takes 4 kilobytes at most.
fn carry<D>(wire: &mut Vec<u8>, to: &mut ConnectionCommon<D>) -> Result<(), rustls::Error> {
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    wire.clear();
    Ok(())
}

/// Takes one connection: reads the client's line, answers with the DID that the
/// server knows the client by.
pub(crate) fn serve_one(
    listener: &TcpListener,
    config: &Arc<ServerConfig>,
    verifier: &DidVerifier,
) -> std::io::Result<VerifiedPeer> {
    let (mut socket, _) = listener.accept()?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut connection = ServerConnection::new(config.clone()).unwrap();
    let mut stream = Stream::new(&mut connection, &mut socket);
    let line = read_line(&mut stream)?;
    let peer = verifier.peer(stream.conn).unwrap();
    stream.write_all(format!("{line} from {}\n", peer.did()).as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(peer)
}

/// Says a line; gives the answer, and who answered.
pub(crate) fn say(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    verifier: &DidVerifier,
    line: &str,
) -> std::io::Result<(String, VerifiedPeer)> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut connection = ClientConnection::new(config.clone(), server_name()).unwrap();
    let mut stream = Stream::new(&mut connection, &mut socket);
    stream.write_all(format!("{line}\n").as_bytes())?;
    let answer = read_line(&mut stream)?;
    let peer = verifier.peer(stream.conn).unwrap();
    Ok((answer, peer))
}

fn read_line(stream: &mut impl std::io::Read) -> std::io::Result<String> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while stream.read(&mut byte)? == 1 && byte != *b"\n" {
        line.extend(byte);
    }
    Ok(String::from_utf8(line).unwrap())
}
