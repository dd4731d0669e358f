//! What a key vouches for: TLS keys, encryption keys, documents.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::SystemTime;

use icn_identity::did::DidDocument;
use icn_identity::error::SignError;
use icn_identity::tls::{Client, DidVerifier, Server, testing};
use icn_identity::{Did, DidSigner, IdentityBundle, X25519PublicKey};
use serde_json::Value;

use super::{DAY, STATEMENTS, peers, signs};
use crate::conformance::Fixture;
use crate::conformance::fixture::{Shows, in_each_form};

pub(crate) fn signs_no_statement<F: Fixture>(it: &F) {
    in_each_form!(it, F, key => {
        refuses_statements(&key);
        let bundle = IdentityBundle::issue(key).unwrap();
        refuses_statements(bundle.signer());
        refuses_statements(&bundle);
    });
}

pub(super) fn refuses_statements<S: DidSigner>(signer: &S) {
    for statement in STATEMENTS {
        let refused = signer.sign(statement).unwrap_err();
        assert!(matches!(refused, SignError::Reserved), "{refused}");
    }
    signs(signer);
}

pub(crate) fn is_bound_and_renewed<F: Fixture>(it: &F) {
    in_each_form!(it, F, key => {
        let (did, now) = (key.did().clone(), SystemTime::now());
        let bundle = IdentityBundle::issue(key).unwrap();
        assert_eq!((bundle.did(), bundle.binding().did()), (&did, &did));
        assert_eq!(Shows::of(&bundle), F::CUSTODY);
        bundle.verify_binding(now).unwrap();
        bundle.verify_binding(now + 8 * DAY).unwrap_err();
        let (first, certificate) = (bundle.binding().sequence(), bundle.certificate_der());
        let x25519 = bundle.x25519_public_key();
        bundle.renew_at(now + 8 * DAY, 7 * DAY).unwrap();
        bundle.verify_binding(now + 8 * DAY).unwrap();
        assert!(bundle.binding().sequence() > first);
        assert_ne!(bundle.certificate_der(), certificate);
        assert_eq!(bundle.x25519_public_key(), x25519);
        signs(&bundle);
        signs(&bundle.into_signer());
    });
}

type Made<T> = Box<dyn Fn(&Arc<DidVerifier>) -> T>;

/// An end of a connection.
pub(super) struct End {
    pub(super) did: Did,
    /// Where the certificate vouches for one.
    pub(super) x25519: Option<X25519PublicKey>,
    pub(super) server: Made<Server>,
    pub(super) client: Made<Client>,
}

impl End {
    fn of<S: DidSigner + 'static>(bundle: IdentityBundle<S>) -> Self {
        let bundle = Arc::new(bundle);
        let (serving, calling) = (bundle.clone(), bundle.clone());
        Self {
            did: bundle.did().clone(),
            x25519: Some(bundle.x25519_public_key()),
            server: Box::new(move |verifier| serving.tls_server(verifier).unwrap()),
            client: Box::new(move |verifier| calling.tls_client(verifier).unwrap()),
        }
    }
}

pub(crate) fn meets<F: Fixture>(it: &F) {
    in_each_form!(it, F, key => meet_strangers(&End::of(IdentityBundle::issue(key).unwrap())));
}

/// With a peer of each algorithm, whoever calls.
pub(super) fn meet_strangers(end: &End) {
    let [one, other] = peers().map(End::of);
    for peer in [&one, &other] {
        talk(end, peer);
        talk(peer, end);
    }
    // Whoever is expected to be somebody else is no peer, on either side.
    let pins = |did: &Did| Arc::new(DidVerifier::pinned(did.clone()));
    for (client, server) in [(end, &one), (&one, end)] {
        let called = (server.server)(&pins(&client.did));
        let calling = (client.client)(&pins(&other.did));
        testing::connection(&calling, &other.did, &called).unwrap_err();
        let called = (server.server)(&pins(&other.did));
        let calling = (client.client)(&pins(&server.did));
        testing::connection(&calling, &server.did, &called).unwrap_err();
    }
}

fn talk(client: &End, server: &End) {
    let called = (server.server)(&Arc::new(DidVerifier::pinned(client.did.clone())));
    let calling = (client.client)(&Arc::new(DidVerifier::pinned(server.did.clone())));
    let mut ends = testing::connection(&calling, &server.did, &called).unwrap();
    for (peer, end) in [(ends.server.peer(), client), (ends.client.peer(), server)] {
        assert_eq!(*peer.did().as_did(), end.did);
        if let Some(x25519) = end.x25519 {
            assert_eq!(peer.x25519_public_key(), x25519);
        }
    }
    let mut heard = [0; 5];
    ends.client.write_all(b"hello").unwrap();
    ends.server.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
    ends.server.write_all(b"world").unwrap();
    ends.client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"world");
}

pub(crate) fn has_a_document<F: Fixture>(it: &F) {
    in_each_form!(it, F, key => {
        let bundle = IdentityBundle::issue(key).unwrap();
        check_document(&bundle.did_document().unwrap(), bundle.did(), bundle.x25519_public_key());
    });
}

/// It says who it is of, and nothing in it can be another's.
pub(super) fn check_document(document: &DidDocument, did: &Did, x25519: X25519PublicKey) {
    let json = document.to_json().unwrap();
    let read = DidDocument::parse(json.as_bytes()).unwrap();
    assert_eq!(read, *document);
    assert_eq!((read.did(), read.x25519_public_key()), (did, x25519));

    let theirs = peers().map(|peer| peer.did_document().unwrap().to_json().unwrap());
    let honest: Value = serde_json::from_str(&json).unwrap();
    for theirs in theirs {
        let theirs: Value = serde_json::from_str(&theirs).unwrap();
        for (field, value) in theirs.as_object().unwrap() {
            let mut mixed = honest.clone();
            if std::mem::replace(&mut mixed[field], value.clone()) == *value {
                continue;
            }
            DidDocument::parse(mixed.to_string().as_bytes())
                .expect_err(&format!("{field} of another document"));
        }
    }
}
