//! Listeners that run while certificates and policies change.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use icn_identity::peer::{Refusal, VerifiedPeer};
use icn_identity::tls::{
    DidVerifier, MemorySequences, PeerError, ReplaceError, TlsIdentity, refusal_of, server_name,
};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection};

use crate::wire::{handshake, say, serve_one};
use crate::{anybody, bundle, pinned};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A listener with one configuration, which it keeps.
struct Listener {
    address: SocketAddr,
    met: mpsc::Receiver<std::io::Result<VerifiedPeer>>,
}

impl Listener {
    fn start(config: ServerConfig, verifier: Arc<DidVerifier>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, met) = mpsc::channel();
        let config = Arc::new(config);
        // Ends with the test, when nobody listens any more.
        thread::spawn(move || while tell.send(serve_one(&listener, &config, &verifier)).is_ok() {});
        Self { address, met }
    }
}

#[test]
fn a_running_listener_and_a_client_pick_a_renewed_certificate_up() {
    let (mut server, mut client) = (bundle(), bundle());
    let sequences = Arc::new(MemorySequences::new());
    let verifier = |did: &icn_identity::Did| {
        Arc::new(DidVerifier::pinned(did.clone()).with_sequences(sequences.clone()))
    };
    let (at_server, at_client) = (verifier(client.did()), verifier(server.did()));
    let (servers, clients) = (server.tls_identity(), client.tls_identity());
    let listener = Listener::start(servers.server_config(&at_server).unwrap(), at_server.clone());
    let config = Arc::new(clients.client_config(&at_client).unwrap());
    let talk = |config: &Arc<ClientConfig>| say(listener.address, config, &at_client, "hello");
    let met = || listener.met.recv().unwrap().unwrap().sequence();

    let first = (server.binding().sequence(), client.binding().sequence());
    let (_, peer) = talk(&config).unwrap();
    assert_eq!((peer.sequence(), met()), first);
    let stolen = Arc::new(client.tls_client_config(&at_client).unwrap());

    // The DID keys sign once each; listener and configurations stay.
    server.renew(SystemTime::now(), WEEK).unwrap();
    servers.clone().replace(&server).unwrap();
    let (_, peer) = talk(&config).unwrap();
    let second = (server.binding().sequence(), first.1);
    assert_eq!((peer.sequence(), met()), second);
    assert!(second.0 > first.0);
    client.renew(SystemTime::now(), WEEK).unwrap();
    clients.replace(&client).unwrap();
    let (_, peer) = talk(&config).unwrap();
    let third = (second.0, client.binding().sequence());
    assert_eq!((peer.sequence(), met()), third);
    assert_eq!((servers.sequence(), clients.sequence()), third);
    assert!(third.1 > first.1);

    // The TLS key that was replaced is of no use where the new one was seen.
    let _ = talk(&stolen);
    let error = listener.met.recv().unwrap().unwrap_err();
    let refusal = refusal_of(&error).unwrap().to_string();
    let instance = client.binding().instance().unwrap();
    let told = format!(
        "has number {}; number {} of instance {instance} was seen before",
        first.1, third.1
    );
    assert!(refusal.ends_with(&told), "{refusal}");
}

#[test]
fn only_a_later_certificate_of_the_same_did_replaces_one() {
    let key = || icn_identity::Key::<icn_identity::Software, _>::from_seed(&[7; 32]);
    let again = icn_identity::IdentityBundle::issue(key()).unwrap();
    let mut one = icn_identity::IdentityBundle::issue(key()).unwrap();
    let other = bundle();
    let old = one.tls_identity();
    let before = TlsIdentity::new(&one);
    let refused = old.replace(&other).unwrap_err();
    assert!(matches!(refused, ReplaceError::OtherDid { .. }), "{refused}");
    // The same once more is fine.
    old.replace(&one).unwrap();
    one.renew(SystemTime::now(), WEEK).unwrap();
    old.replace(&one).unwrap();
    assert!(old.sequence() > before.sequence());
    let refused = old.replace(&again).unwrap_err();
    let (current, found) = (old.sequence(), again.binding().sequence());
    assert_eq!(refused, ReplaceError::Older { current, found });
    assert!(refused.help().is_some());
    assert_eq!(old.sequence(), current);
    assert_eq!(old.did(), one.did());

    // What is later counts, whichever instance it is of: the epoch, then the number.
    let mut another = again;
    another.renew(SystemTime::now() + WEEK, WEEK).unwrap();
    assert_ne!(another.binding().instance(), one.binding().instance());
    old.replace(&another).unwrap();
    assert_eq!(old.instance().as_ref(), another.binding().instance());
    one.renew_all_instances(SystemTime::now(), WEEK).unwrap();
    assert!(one.binding().sequence() < another.binding().sequence());
    old.replace(&one).unwrap();
    let refused = old.replace(&another).unwrap_err();
    let (current, found) = (one.binding().epoch(), 0);
    assert_eq!(refused, ReplaceError::EarlierEpoch { current, found });
    assert!(refused.help().unwrap().contains(&format!("join epoch {current}")));
    assert_eq!((old.epoch(), old.sequence()), (current, one.binding().sequence()));
    another.join_epoch(SystemTime::now(), WEEK, current).unwrap();
    old.replace(&another).unwrap();
}

/// Two processes of one identity: as long as nobody has seen the later
/// certificate both are let in, and then the earlier one is not, nor are its
/// open connections when they are asked about again.
#[test]
fn an_open_connection_is_refused_when_the_later_number_was_seen() {
    let (mut alice, bob) = (bundle(), bundle());
    let (at_bob, at_alice) = (pinned(alice.did()), pinned(bob.did()));
    let server = Arc::new(bob.tls_server_config(&at_bob).unwrap());
    let first = Arc::new(alice.tls_client_config(&at_alice).unwrap());
    let (open, _client) = handshake(&server, &first).unwrap();
    alice.renew(SystemTime::now(), WEEK).unwrap();
    let second = Arc::new(alice.tls_client_config(&at_alice).unwrap());
    at_bob.peer(&open).unwrap();
    handshake(&server, &first).unwrap();
    let (renewed, _client) = handshake(&server, &second).unwrap();
    at_bob.peer(&renewed).unwrap();
    let refused = at_bob.peer(&open).unwrap_err();
    let superseded = matches!(refused, PeerError::Refused(Refusal::Superseded { .. }));
    assert!(superseded, "{refused}");
    assert!(refused.help().unwrap().contains("renew its binding"));
    handshake(&server, &first).unwrap_err();
}

/// Every connection is a whole handshake that the verifier sees.
#[test]
fn no_session_is_resumed_past_the_verifier() {
    let (server, client) = (bundle(), bundle());
    let (welcome, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let (decided, counter) = (welcome.clone(), asked.clone());
    let decide = move |_: &icn_identity::Did| {
        counter.fetch_add(1, Ordering::Relaxed);
        decided.load(Ordering::Relaxed)
    };
    let verifier = Arc::new(DidVerifier::deciding(decide));
    // The client trusts somebody else to judge: what is counted is the server's.
    let server_config = Arc::new(server.tls_server_config(&verifier).unwrap());
    let client_config = Arc::new(client.tls_client_config(&anybody()).unwrap());
    assert_eq!(server_config.send_tls13_tickets, 0);
    assert_eq!(server_config.max_early_data_size, 0);
    assert!(!client_config.enable_early_data && !client_config.enable_sni);
    assert!(!server_config.session_storage.can_cache() && !server_config.ticketer.enabled());
    for count in 1..=3 {
        let (server, client) = handshake(&server_config, &client_config).unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), count);
        assert_eq!(server.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(client.tls13_tickets_received(), 0);
    }
    // A peer that is no longer welcome is not let in by what it kept.
    let (open, _client) = handshake(&server_config, &client_config).unwrap();
    verifier.peer(&open).unwrap();
    welcome.store(false, Ordering::Relaxed);
    handshake(&server_config, &client_config).unwrap_err();
    // Nor does a connection that is open stay unnoticed, when it is asked about.
    let refused = verifier.peer(&open).unwrap_err();
    assert!(matches!(refused, PeerError::Refused(_)), "{refused}");
    assert!(refused.help().unwrap().contains("add its DID"));
}

#[test]
fn nothing_is_said_of_a_peer_before_the_handshake_is_done() {
    let (server, client) = (bundle(), bundle());
    let verifier = pinned(server.did());
    let config = Arc::new(client.tls_client_config(&verifier).unwrap());
    let mut connection = ClientConnection::new(config, server_name()).unwrap();
    let unfinished = |connection: &ClientConnection| {
        let error = verifier.peer(connection).unwrap_err();
        assert!(matches!(error, PeerError::Handshaking), "{error}");
    };
    unfinished(&connection);
    let by_server = pinned(client.did());
    let config = Arc::new(server.tls_server_config(&by_server).unwrap());
    let mut other = ServerConnection::new(config).unwrap();
    let mut wire = Vec::new();
    connection.write_tls(&mut wire).unwrap();
    other.read_tls(&mut wire.as_slice()).unwrap();
    other.process_new_packets().unwrap();
    unfinished(&connection);
    // The server has not heard who the client is.
    let error = by_server.peer(&other).unwrap_err();
    assert!(matches!(error, PeerError::Handshaking), "{error}");
}

/// Times and policies of the verifier that is asked, not of the one that let
/// the peer in.
#[test]
fn a_connection_is_judged_anew_by_whom_it_is_asked() {
    let (server, client) = (bundle(), bundle());
    let (server_config, client_config) = (
        Arc::new(server.tls_server_config(&anybody()).unwrap()),
        Arc::new(client.tls_client_config(&anybody()).unwrap()),
    );
    let (connection, _client) = handshake(&server_config, &client_config).unwrap();
    let verifier = pinned(client.did());
    let now = SystemTime::now();
    let peer = verifier.peer_at(&connection, now).unwrap();
    assert_eq!(peer.did(), client.did());
    let ends = SystemTime::UNIX_EPOCH + Duration::from_secs(client.binding().not_after());
    assert_eq!(peer.valid_until(), ends);
    assert_eq!(peer.into_did().as_did(), client.did());
    assert!(verifier.peer_at(&connection, now + WEEK).is_ok());
    for wrong in [now + WEEK + Duration::from_secs(400), now - WEEK] {
        assert!(verifier.peer_at(&connection, wrong).is_err());
    }
    assert!(pinned(server.did()).peer(&connection).is_err());
}

/// With cryptography that the caller chose.
#[test]
fn another_provider_of_cryptography_can_be_given() {
    let (server, client) = (bundle(), bundle());
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.truncate(1);
    let (suite, provider) = (provider.cipher_suites[0].suite(), Arc::new(provider));
    let (at_server, at_client) = (pinned(client.did()), pinned(server.did()));
    let one = server.tls_identity().server_config_by(provider.clone(), &at_server).unwrap();
    let two = client.tls_identity().client_config_by(provider, &at_client).unwrap();
    let (one, two) = handshake(&Arc::new(one), &Arc::new(two)).unwrap();
    assert_eq!(one.negotiated_cipher_suite().unwrap().suite(), suite);
    at_server.peer(&one).unwrap();
    at_client.peer(&two).unwrap();
    let none = rustls::crypto::CryptoProvider {
        cipher_suites: Vec::new(),
        ..rustls::crypto::ring::default_provider()
    };
    assert!(server.tls_identity().server_config_by(Arc::new(none), &at_server).is_err());
}
