//! Listeners that run while certificates and policies change.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use icn_identity::peer::{Refusal, VerifiedPeer};
use icn_identity::rotation::{RotationChain, RotationReason, RotationStatement, RotationTerms};
use icn_identity::tls::{
    Client, Connection, DidVerifier, MemorySequences, PeerError, ReplaceError, Server, TlsError,
    TlsIdentity, refusal_of,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, HandshakeKind, SignatureScheme};

use crate::craft::Craft;
use crate::wire::{Ended, handshake, say, serve_one};
use crate::{anybody, bundle, pinned};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A listener with one configuration, which it keeps.
struct Listener {
    address: SocketAddr,
    met: mpsc::Receiver<Result<VerifiedPeer, TlsError>>,
}

impl Listener {
    fn start(server: Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, met) = mpsc::channel();
        // Ends with the test, when nobody listens any more.
        thread::spawn(move || while tell.send(serve_one(&listener, &server)).is_ok() {});
        Self { address, met }
    }
}

#[test]
fn a_running_listener_and_a_client_pick_a_renewed_certificate_up() {
    let (server, client) = (bundle(), bundle());
    let sequences = Arc::new(MemorySequences::new());
    let verifier = |did: &icn_identity::Did| {
        Arc::new(DidVerifier::pinned(did.clone()).with_sequences(sequences.clone()))
    };
    let (at_server, at_client) = (verifier(client.did()), verifier(server.did()));
    let (servers, clients) = (server.tls_identity(), client.tls_identity());
    let listener = Listener::start(Server::new(&servers, &at_server).unwrap());
    let config = Client::new(&clients, &at_client).unwrap();
    let whom = server.did().clone();
    let talk = |client: &Client| say(listener.address, client, &whom, "hello");
    let met = || listener.met.recv().unwrap().unwrap().sequence();

    let first = (server.binding().sequence(), client.binding().sequence());
    let (_, peer) = talk(&config).unwrap();
    assert_eq!((peer.sequence(), met()), first);
    let stolen = Client::new(&TlsIdentity::fixed(&client), &at_client).unwrap();

    // The DID keys sign once each; listener and configurations stay.
    server.renew().unwrap();
    let (_, peer) = talk(&config).unwrap();
    let second = (server.binding().sequence(), first.1);
    assert_eq!((peer.sequence(), met()), second);
    assert!(second.0 > first.0);
    client.renew().unwrap();
    let (_, peer) = talk(&config).unwrap();
    let third = (second.0, client.binding().sequence());
    assert_eq!((peer.sequence(), met()), third);
    assert_eq!((servers.sequence(), clients.sequence()), third);
    assert!(third.1 > first.1);

    // The TLS key that was replaced is of no use where the new one was seen.
    let _ = talk(&stolen);
    let error = listener.met.recv().unwrap().unwrap_err();
    let refusal = error.refusal().unwrap().to_string();
    let instance = clients.instance().unwrap();
    let told = format!(
        "has number {}; number {} of instance {instance} was seen before",
        first.1, third.1
    );
    assert!(refusal.ends_with(&told), "{refusal}");
}

/// Whatever the moment: key, certificate and binding are of one renewal, on both sides,
/// and what was made once never goes back.
#[test]
fn handshakes_during_renewals_are_each_with_one_whole_certificate() {
    let (server, client) = (Arc::new(bundle()), Arc::new(bundle()));
    let (at_server, at_client) = (pinned(client.did()), pinned(server.did()));
    let servers = server.tls_server(&at_server).unwrap();
    let clients = client.tls_client(&at_client).unwrap();
    let whom = server.did().clone();
    let done = AtomicBool::new(false);
    let renewals = AtomicUsize::new(0);
    thread::scope(|scope| {
        for bundle in [&server, &client, &server, &client] {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    bundle.renew().unwrap();
                    renewals.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut last = (0, 0);
        let mut all = || {
            while renewals.load(Ordering::Relaxed) < 200 {
                let (at, from) = handshake(&servers, &(&clients, &whom)).unwrap();
                let now = (from.peer().unwrap().sequence(), at.peer().unwrap().sequence());
                assert!(now.0 >= last.0 && now.1 >= last.1, "{now:?} after {last:?}");
                last = now;
            }
        };
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut all));
        done.store(true, Ordering::Relaxed);
        ended.unwrap();
        assert!(last.0 > 0 && last.1 > 0);
    });
    // What is in use stays when the bundle is gone.
    let (number, identity) = (server.binding().sequence(), server.tls_identity());
    drop((server, client));
    assert_eq!(identity.sequence(), number);
    let (at, _) = handshake(&servers, &(&clients, &whom)).unwrap();
    at.peer().unwrap();
}

#[test]
fn only_a_later_certificate_of_the_same_did_replaces_one() {
    let key = || icn_identity::Key::<icn_identity::Software, _>::from_seed(&[7; 32]);
    let again = icn_identity::IdentityBundle::issue(key()).unwrap();
    let one = icn_identity::IdentityBundle::issue(key()).unwrap();
    let other = bundle();
    let old = TlsIdentity::fixed(&one);
    let before = TlsIdentity::fixed(&one);
    let refused = old.replace(&other).unwrap_err();
    assert!(matches!(refused, ReplaceError::OtherDid { .. }), "{refused}");
    // The same once more is fine.
    old.replace(&one).unwrap();
    one.renew().unwrap();
    assert_eq!(before.sequence(), old.sequence() - 1);
    let followed = old.clone();
    assert!(old.sequence() > before.sequence());
    // A clone is the same one.
    one.renew().unwrap();
    assert_eq!(followed.sequence(), one.binding().sequence());
    let refused = old.replace(&again).unwrap_err();
    let (current, found) = (old.sequence(), again.binding().sequence());
    assert_eq!(refused, ReplaceError::Older { current, found });
    assert!(refused.help().is_some());
    assert_eq!(old.sequence(), current);
    assert_eq!(old.did(), one.did());

    // What is later counts, whichever instance it is of: the epoch, then the number.
    let another = again;
    another.renew_at(SystemTime::now() + WEEK, WEEK).unwrap();
    assert_ne!(another.binding().instance(), one.binding().instance());
    old.replace(&another).unwrap();
    assert_eq!(old.instance().as_ref(), another.binding().instance());
    one.renew_all_instances().unwrap();
    assert_eq!(old.epoch(), 0);
    assert!(one.binding().sequence() < another.binding().sequence());
    old.replace(&one).unwrap();
    let refused = old.replace(&another).unwrap_err();
    let (current, found) = (one.binding().epoch(), 0);
    assert_eq!(refused, ReplaceError::EarlierEpoch { current, found });
    assert!(refused.help().unwrap().contains(&format!("join epoch {current}")));
    assert_eq!((old.epoch(), old.sequence()), (current, one.binding().sequence()));
    another.join_epoch(current).unwrap();
    old.replace(&another).unwrap();
}

/// Two processes of one identity: as long as nobody has seen the later
/// certificate both are let in, and then the earlier one is not, nor are its
/// open connections when they are asked about again.
#[test]
fn an_open_connection_is_refused_when_the_later_number_was_seen() {
    let (alice, bob) = (bundle(), bundle());
    let (at_bob, at_alice) = (pinned(alice.did()), pinned(bob.did()));
    let server = bob.tls_server(&at_bob).unwrap();
    let first = Client::new(&TlsIdentity::fixed(&alice), &at_alice).unwrap();
    let calling = |client: &Client| handshake(&server, &(client, bob.did()));
    let (open, _client) = calling(&first).unwrap();
    alice.renew().unwrap();
    let second = alice.tls_client(&at_alice).unwrap();
    open.peer().unwrap();
    calling(&first).unwrap();
    let (renewed, _client) = calling(&second).unwrap();
    renewed.peer().unwrap();
    let refused = open.peer().unwrap_err();
    let superseded = matches!(refused, PeerError::Refused(Refusal::Superseded { .. }));
    assert!(superseded, "{refused}");
    assert!(refused.help().unwrap().contains("renew its binding"));
    calling(&first).unwrap_err();
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
    let ours = server.tls_server(&verifier).unwrap();
    let (open, _client) = handshake(&ours, &client_config).unwrap();
    open.peer().unwrap();
    welcome.store(false, Ordering::Relaxed);
    handshake(&server_config, &client_config).unwrap_err();
    // Nor does a connection that is open stay unnoticed, when it is asked about.
    let refused = open.peer().unwrap_err();
    assert!(matches!(refused, PeerError::Refused(_)), "{refused}");
    assert!(refused.help().unwrap().contains("add its DID"));
}

#[test]
fn nothing_is_said_of_a_peer_before_the_handshake_is_done() {
    let (server, client) = (bundle(), bundle());
    let config = client.tls_client(&pinned(server.did())).unwrap();
    let mut connection = config.connection(server.did()).unwrap();
    let unfinished = |connection: &Connection| {
        let error = connection.peer().unwrap_err();
        assert!(matches!(error, PeerError::Handshaking), "{error}");
    };
    unfinished(&connection);
    let mut other = server.tls_server(&pinned(client.did())).unwrap().connection().unwrap();
    let mut wire = Vec::new();
    connection.write_tls(&mut wire).unwrap();
    other.read_tls(&mut wire.as_slice()).unwrap();
    other.process().unwrap();
    unfinished(&connection);
    // The server has not heard who the client is.
    unfinished(&other);
}

/// Time and policy are those of now, not of when the peer was let in.
#[test]
fn a_connection_is_judged_anew_when_it_is_asked() {
    let (server, client) = (bundle(), bundle());
    let verifier = Arc::new(DidVerifier::allowed([client.did().clone()]));
    let (connection, _client) = handshake(
        &server.tls_server(&verifier).unwrap(),
        &(&client.tls_client(&anybody()).unwrap(), server.did()),
    )
    .unwrap();
    let now = SystemTime::now();
    let peer = connection.peer_at(now).unwrap();
    assert_eq!(peer.did(), client.did());
    let ends = SystemTime::UNIX_EPOCH + Duration::from_secs(client.binding().not_after());
    assert_eq!(peer.valid_until(), ends);
    assert_eq!(peer.into_did().as_did(), client.did());
    assert!(connection.peer_at(now + WEEK).is_ok());
    for wrong in [now + WEEK + Duration::from_secs(400), now - WEEK] {
        assert!(connection.peer_at(wrong).is_err());
    }
    let successor = bundle();
    let terms = RotationTerms::new(RotationReason::Scheduled);
    let statement =
        RotationStatement::sign_unguarded(client.signer(), successor.signer(), None, &terms)
            .unwrap();
    verifier.follow(&RotationChain::verify([statement]).unwrap()).unwrap();
    let refused = connection.peer().unwrap_err();
    assert!(matches!(refused, PeerError::Refused(Refusal::NotExpected { .. })), "{refused}");
}

/// Who shows a certificate that everybody can see gets no further than the handshake, and
/// who is in the list is not thereby the one who was called.
#[test]
fn a_peer_is_who_was_called_and_has_signed_this_handshake() {
    let (alice, bob, ours) = (bundle(), bundle(), bundle());
    let both = Arc::new(DidVerifier::allowed([&alice, &bob].map(|peer| peer.did().clone())));
    let client = ours.tls_client(&both).unwrap();
    let at_alice = alice.tls_server(&anybody()).unwrap();
    let (_, connection) = handshake(&at_alice, &(&client, alice.did())).unwrap();
    assert_eq!(connection.peer().unwrap().did(), alice.did());
    // The connection of another: bob is known here, and was not called.
    let Err(Ended::ByClient(error)) = handshake(&at_alice, &(&client, bob.did())) else {
        panic!("alice passed for bob");
    };
    let refusal = refusal_of(&error).unwrap();
    assert!(matches!(refusal, Refusal::NotExpected { did } if did == alice.did()), "{refusal}");

    // Alice's certificate, which whoever connects to her is shown, with another key.
    let thief = Craft::new();
    let chain = [alice.certificate_der().to_vec()];
    let Err(Ended::ByClient(error)) = handshake(&thief.server(&chain), &(&client, alice.did()))
    else {
        panic!("a thief passed for alice");
    };
    assert!(matches!(refusal_of(&error), Some(Refusal::HandshakeSignature)), "{error}");
    // A verifier that accepts whom a connection names accepts nobody who calls.
    let named = Arc::new(DidVerifier::named());
    let server = ours.tls_server(&named).unwrap();
    let calling = (&alice.tls_client(&named).unwrap(), ours.did());
    let Err(Ended::ByServer(error)) = handshake(&server, &calling) else {
        panic!("nobody was named");
    };
    assert!(matches!(refusal_of(&error), Some(Refusal::NotExpected { .. })), "{error}");
}

/// Somebody's certificate is public, and a client that accepts everything completes a
/// handshake with whoever shows it. There is nobody who makes a `VerifiedDid` of that: what
/// does, has made the connection, and this one was not made by it. See also the example in
/// the documentation of `tls` that does not compile.
#[test]
fn whose_verifier_accepts_everything_learns_nobodys_verified_did() {
    let (alice, ours) = (bundle(), bundle());
    let thief = Craft::new();
    let chain = [alice.certificate_der().to_vec()];
    let gullible = rustls::ClientConfig::builder_with_provider(
        rustls::crypto::ring::default_provider().into(),
    );
    let gullible = gullible
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Everything))
        .with_client_cert_resolver(Arc::new(ours.tls_identity()));
    let gullible = Arc::new(gullible);
    // The thief's handshake succeeds, and shows alice's certificate.
    let (_, connection) = handshake(&thief.server(&chain), &gullible).unwrap();
    assert_eq!(connection.peer_certificates().unwrap()[0].as_ref(), alice.certificate_der());
    // With the thief at the other end, nothing of ours comes to a peer.
    let client = ours.tls_client(&Arc::new(DidVerifier::named())).unwrap();
    let mut ours = client.connection(alice.did()).unwrap();
    let mut theirs = rustls::ServerConnection::new(thief.server(&chain)).unwrap();
    let mut wire = Vec::new();
    ours.write_tls(&mut wire).unwrap();
    theirs.read_tls(&mut wire.as_slice()).unwrap();
    theirs.process_new_packets().unwrap();
    wire.clear();
    theirs.write_tls(&mut wire).unwrap();
    ours.read_tls(&mut wire.as_slice()).unwrap();
    let error = ours.process().unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::HandshakeSignature)), "{error}");
    assert!(error.help().unwrap().contains("pose as this peer"));
    assert!(matches!(ours.peer(), Err(PeerError::Handshaking)));
}

#[derive(Debug)]
struct Everything;

impl ServerCertVerifier for Everything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// With cryptography that the caller chose.
#[test]
fn another_provider_of_cryptography_can_be_given() {
    let (server, client) = (bundle(), bundle());
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.truncate(1);
    let (suite, provider) = (provider.cipher_suites[0].suite(), Arc::new(provider));
    let (at_server, at_client) = (pinned(client.did()), pinned(server.did()));
    let one = Server::with_provider(&server.tls_identity(), &at_server, provider.clone()).unwrap();
    let two = Client::with_provider(&client.tls_identity(), &at_client, provider).unwrap();
    // And with a protocol above.
    let (one, two) = (one.with_alpn(["icn/2", "icn/1"]), two.with_alpn(["icn/1"]));
    let (one, two) = handshake(&one, &(&two, server.did())).unwrap();
    for side in [&one, &two] {
        assert_eq!(side.state().negotiated_cipher_suite().unwrap().suite(), suite);
        assert_eq!(side.state().alpn_protocol(), Some(&b"icn/1"[..]));
        side.peer().unwrap();
    }
    let none = rustls::crypto::CryptoProvider {
        cipher_suites: Vec::new(),
        ..rustls::crypto::ring::default_provider()
    };
    assert!(Server::with_provider(&server.tls_identity(), &at_server, Arc::new(none)).is_err());
}
