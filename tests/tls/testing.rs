//! What the library gives to the tests of those who use it is a whole proof.

use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use icn_identity::peer::Refusal;
use icn_identity::tls::testing::{self, Pipe};
use icn_identity::tls::{DidVerifier, accept, connect};

use crate::{anybody, bundle, pinned};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

#[test]
fn a_handshake_in_memory_verifies_both_as_one_over_a_network() {
    let (client, server) = (bundle(), bundle());
    let met = testing::handshake(&client, &server).unwrap();
    assert_eq!(met.client.did(), client.did());
    assert_eq!(met.server.did(), server.did());
    assert_eq!(met.client.sequence(), client.binding().sequence());
    assert_eq!(met.server.x25519_public_key(), server.x25519_public_key());
    // Nobody is let off: a binding that has ended is refused, on either side.
    let past = SystemTime::now() - 3 * WEEK;
    let good = bundle();
    client.renew_at(past, WEEK).unwrap();
    server.renew_at(past, WEEK).unwrap();
    for refused in [testing::handshake(&client, &good), testing::handshake(&good, &server)] {
        let error = refused.unwrap_err();
        assert!(matches!(error.refusal(), Some(Refusal::Expired { .. })), "{error}");
    }
}

#[test]
fn both_ends_of_a_connection_in_memory_speak_and_notice_the_end() {
    let (alice, bank) = (bundle(), bundle());
    let client = alice.tls_client(&Arc::new(DidVerifier::named())).unwrap();
    let server = bank.tls_server(&pinned(alice.did())).unwrap();
    let ends = testing::connection(&client, bank.did(), &server).unwrap();
    let (mut one, mut other) = (ends.client, ends.server);
    assert_eq!((one.did().as_did(), other.did().as_did()), (bank.did(), alice.did()));
    let answering = thread::spawn(move || {
        let mut heard = Vec::new();
        other.read_to_end(&mut heard).unwrap();
        heard
    });
    let long = vec![7; 100_000];
    one.write_all(&long).unwrap();
    drop(one.close().unwrap());
    assert_eq!(answering.join().unwrap(), long);

    // Who ends without saying so is noticed.
    let ends = testing::connection(&client, bank.did(), &server).unwrap();
    let (one, mut other) = (ends.client, ends.server);
    drop(one);
    let error = other.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    let error = other.write_all(b"x").and_then(|()| other.flush()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);

    let stranger = bundle().tls_client(&anybody()).unwrap();
    let refused = testing::connection(&stranger, bank.did(), &server).unwrap_err();
    assert!(matches!(refused.refusal(), Some(Refusal::NotExpected { .. })), "{refused}");
}

/// As over a socket: each end in a thread, which waits for the other.
#[test]
fn accept_and_connect_meet_over_a_transport_in_memory() {
    let (alice, bank) = (bundle(), bundle());
    let server = bank.tls_server(&pinned(alice.did())).unwrap();
    let client = alice.tls_client(&pinned(bank.did())).unwrap();
    let (one, other) = Pipe::pair();
    let serving = thread::spawn(move || {
        let mut stream = accept(other, &server)?;
        let mut line = [0; 4];
        stream.read_exact(&mut line)?;
        stream.write_all(&line)?;
        stream.close().map(drop)?;
        Ok::<_, icn_identity::tls::TlsError>(line)
    });
    let mut stream = connect(one, &client, bank.did()).unwrap();
    stream.write_all(b"ping").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "ping");
    assert_eq!(serving.join().unwrap().unwrap(), *b"ping");
    // The other end is gone before it has said anything.
    let (one, other) = Pipe::pair();
    drop(other);
    let error = connect(one, &client, bank.did()).unwrap_err();
    assert!(error.refusal().is_none() && error.help().is_some(), "{error:?}");
}
