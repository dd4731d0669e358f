//! Every signer with every other.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::tpm::TpmBackend;
use icn_identity::backend::{Backend, Credentials, NewKey};
use icn_identity::config::{PcrIndices, Pkcs11Config, TpmConfig};
use icn_identity::{
    AlgorithmId, DidKey, DidMethod, DidSignerExt as _, IdentityBundle, Key, Pin, ProvenanceKind,
};
use support::softhsm::{PIN, alone, module};
use support::swtpm::Swtpm;

use crate::pinned;
use crate::wire::{say, serve_one};

type Node = IdentityBundle<DidKey>;

fn node(backend: &dyn Backend, algorithm: AlgorithmId, pin: Pin) -> Node {
    let request = NewKey::new(DidMethod::Icn).with_algorithm(algorithm);
    let created = backend.create(&request, &Credentials::pin(pin)).unwrap();
    IdentityBundle::issue(created.key).unwrap()
}

/// Each node of a token has one of its own.
const TOKENS: [[&str; 2]; 2] = [["server-1", "server-2"], ["client-1", "client-2"]];

fn in_token(label: &str, algorithm: AlgorithmId) -> Node {
    let config = Pkcs11Config::new(module()).with_token(label);
    node(&Pkcs11Backend::open(&config).unwrap(), algorithm, Pin::new(PIN))
}

/// One of each signer there is.
fn nodes([one, two]: [&str; 2], tpm: &dyn Backend) -> Vec<Node> {
    use AlgorithmId::{Ed25519, P256};
    let nodes = vec![
        IdentityBundle::issue(DidKey::from(Key::generate().unwrap())).unwrap(),
        in_token(one, Ed25519),
        in_token(two, P256),
        node(tpm, Ed25519, Pin::none()),
        node(tpm, P256, Pin::none()),
    ];
    let shown: Vec<_> = nodes
        .iter()
        .map(|node| (node.signer().provenance(), node.verifying_key().algorithm()))
        .collect();
    let (hardware, sealed) = (ProvenanceKind::Hardware, ProvenanceKind::TpmSealed);
    assert_eq!(
        shown,
        [
            (ProvenanceKind::Software, Ed25519),
            (hardware, Ed25519),
            (hardware, P256),
            (sealed, Ed25519),
            (hardware, P256)
        ]
    );
    nodes
}

#[test]
fn every_pair_of_signers_talks_and_knows_each_other() {
    alone(|hsm| {
        // Tokens first: what makes them must not inherit the TPM's sockets.
        TOKENS.concat().iter().for_each(|label| hsm.token(label));
        let (chip, home) = (Swtpm::start(), tempfile::tempdir().unwrap());
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut config = TpmConfig::new(chip.tcti());
        config.pcr_indices = PcrIndices::new([16]).unwrap();
        config.pin = false;
        let tpm = TpmBackend::open(home.path(), &config).unwrap();

        let (servers, clients) = (nodes(TOKENS[0], &tpm), nodes(TOKENS[1], &tpm));
        for server in &servers {
            for client in &clients {
                talk(server, client);
            }
        }
    });
}

/// Over TCP; each pins the other.
fn talk(server: &Node, client: &Node) {
    assert_ne!(server.did(), client.did());
    let (at_server, at_client) = (pinned(client.did()), pinned(server.did()));
    let server_side = server.tls_server(&at_server).unwrap();
    let client_side = client.tls_client(&at_client).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, (answer, met)) = thread::scope(|scope| {
        let serving = scope.spawn(|| serve_one(&listener, &server_side).unwrap());
        let met = say(address, &client_side, server.did(), "hello").unwrap();
        (serving.join().unwrap(), met)
    });
    assert_eq!(seen.did(), client.did());
    assert_eq!(met.did(), server.did());
    assert_eq!(answer, format!("hello from {}", client.did()));
    // And what the DIDs vouch for beside the TLS keys.
    assert_eq!(seen.x25519_public_key(), client.x25519_public_key());
    assert_eq!(met.x25519_public_key(), server.x25519_public_key());
}
