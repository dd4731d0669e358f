//! Full mutual handshakes with `DidVerifier`, against plain rustls with a pinned
//! self-signed Ed25519 certificate on each side. In memory, without sockets.
//!
//! *Repeated contact*: both verifiers have met the peer's certificate before,
//! and verify the handshake, time, policy and sequence number. *First contact*:
//! neither has, so that the certificate's own signature and the binding are
//! verified as well.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;

use icn_identity::peer::VerifiedPeer;
use icn_identity::tls::{Client, DidVerifier, Server, TlsIdentity, server_name};
use icn_identity::{Did, IdentityBundle, Key, Software, Unlocked};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use support::medians;
use support::ratios::Report;

#[path = "handshake/plain.rs"]
mod plain;

struct Node {
    did: Did,
    identity: TlsIdentity,
}

impl Node {
    fn new() -> Self {
        let key = Key::<Software, Unlocked>::generate().unwrap();
        let bundle = IdentityBundle::issue(key).unwrap();
        Self { did: bundle.did().clone(), identity: bundle.tls_identity() }
    }
}

type Pair = (Arc<ServerConfig>, Arc<ClientConfig>);

/// As a service has them: the peer is asked for.
fn ends(server: &Node, client: &Node) -> (Server, Client) {
    let at_server = Arc::new(DidVerifier::pinned(client.did.clone()));
    let server = Server::new(&server.identity, &at_server).unwrap();
    (server, Client::new(&client.identity, &Arc::new(DidVerifier::named())).unwrap())
}

fn connection(server: &Server, client: &Client, did: &Did) -> [VerifiedPeer; 2] {
    let mut server = server.connection().unwrap();
    let mut client = client.connection(did).unwrap();
    let mut wire = Vec::with_capacity(4096);
    while server.is_handshaking() || client.is_handshaking() {
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process().unwrap();
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process().unwrap();
        wire.clear();
    }
    [server.peer().unwrap(), client.peer().unwrap()]
}

fn configs(server: &Node, client: &Node) -> Pair {
    let at_server = Arc::new(DidVerifier::pinned(client.did.clone()));
    let at_client = Arc::new(DidVerifier::pinned(server.did.clone()));
    let server = server.identity.server_config(&at_server).unwrap();
    let client = client.identity.client_config(&at_client).unwrap();
    (Arc::new(server), Arc::new(client))
}

fn handshake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
) -> (ServerConnection, ClientConnection) {
    let mut server = ServerConnection::new(server.clone()).unwrap();
    let mut client = ClientConnection::new(client.clone(), server_name()).unwrap();
    let mut wire = Vec::with_capacity(4096);
    while server.is_handshaking() || client.is_handshaking() {
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().unwrap();
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets().unwrap();
        wire.clear();
    }
    (server, client)
}

const ROUNDS: usize = 300;
const BATCH: u32 = 5;

fn main() -> ExitCode {
    let mut report = Report::of("handshake");
    let (one, two) = (Node::new(), Node::new());
    let (server, client) = configs(&one, &two);
    let (accepting, connecting) = ends(&one, &two);
    let (plain_server, plain_client) = plain::configs();
    // Each is used once: as often as the support module calls.
    let calls = (ROUNDS + ROUNDS / 10) * usize::try_from(BATCH).unwrap();
    let mut fresh: Vec<_> = (0..calls).map(|_| configs(&one, &two)).collect();
    let [repeated, asked, first, baseline] = medians::medians_of_processor(
        ROUNDS,
        BATCH,
        [
            &mut || {
                black_box(handshake(&server, &client));
            },
            &mut || {
                black_box(connection(&accepting, &connecting, &one.did));
            },
            &mut || {
                let (server, client) = fresh.pop().unwrap();
                black_box(handshake(&server, &client));
            },
            &mut || {
                black_box(handshake(&plain_server, &plain_client));
            },
        ],
    );
    report.time("tls-first", first, baseline);
    report.time("tls-repeated", repeated, baseline);
    report.time("tls-named", asked, baseline);
    report.end()
}
