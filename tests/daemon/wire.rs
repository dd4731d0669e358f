//! TLS with peers of the tests' own.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use icn_identity::peer::VerifiedPeer;
use icn_identity::tls::{self, Client, DidVerifier, Server, TlsError, TlsIdentity};
use icn_identity::{Did, IdentityBundle, Key, Software, Unlocked};

use crate::node::PATIENCE;

pub(crate) type Bundle = IdentityBundle<Key<Software, Unlocked>>;

/// A peer.
pub(crate) fn bundle() -> Bundle {
    IdentityBundle::issue(Key::generate().unwrap()).unwrap()
}

/// For who calls somebody by name.
pub(crate) fn named() -> Arc<DidVerifier> {
    Arc::new(DidVerifier::named())
}

pub(crate) fn pinned(did: &Did) -> Arc<DidVerifier> {
    Arc::new(DidVerifier::pinned(did.clone()))
}

fn connected(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Which refusal it was.
pub(crate) fn refusal(error: &TlsError) -> String {
    let refusal = format!("{:?}", error.refusal().unwrap_or_else(|| panic!("{error:?}")));
    refusal.split([' ', '(']).next().unwrap().to_owned()
}

/// Accepts one who calls, and greets by HTTP.
fn greet(socket: TcpStream, server: &Server) -> Result<VerifiedPeer, TlsError> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut stream = tls::accept(socket, server)?;
    let peer = stream.peer().clone();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let body = format!("hello {}", peer.did());
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all((head + &body).as_bytes())?;
    stream.close()?;
    Ok(peer)
}

/// A server for one who calls, and where it is.
pub(crate) fn server(
    verifier: &Arc<DidVerifier>,
) -> (JoinHandle<Result<VerifiedPeer, TlsError>>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = bundle().tls_server(verifier).unwrap();
    (thread::spawn(move || greet(listener.accept()?.0, &server)), address)
}

/// What a server sees of a client; if it refuses it, why.
pub(crate) fn handshake(
    server: &Server,
    client: &Client,
    did: &Did,
) -> Result<VerifiedPeer, String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = thread::scope(|scope| {
        let serving = scope.spawn(|| greet(listener.accept()?.0, server));
        // Whether it is accepted, the client learns with the first bytes that it reads.
        if let Ok(mut stream) = tls::connect(connected(address), client, did) {
            let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n");
            let _ = stream.read(&mut [0; 64]);
        }
        serving.join().unwrap()
    });
    seen.map_err(|error| refusal(&error))
}

/// What a peer with this verifier sees of a holder who calls; if it refuses it, why.
pub(crate) fn meets(
    verifier: &Arc<DidVerifier>,
    holder: &TlsIdentity,
) -> Result<VerifiedPeer, String> {
    let peer = bundle();
    let client = Client::new(holder, &named()).unwrap();
    handshake(&peer.tls_server(verifier).unwrap(), &client, peer.did())
}

/// What comes of a request to who listens there.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) peer: VerifiedPeer,
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) fn asks(
    address: SocketAddr,
    client: &Client,
    did: &Did,
    request: &str,
) -> Result<Got, TlsError> {
    let mut stream = tls::connect(connected(address), client, did)?;
    let peer = stream.peer().clone();
    stream.write_all(format!("{request} HTTP/1.1\r\nHost: node\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(Got { peer, status, head: head.to_lowercase(), body: body.to_owned() })
}
