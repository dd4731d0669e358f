//! TLS keys that a daemon binds, and what a daemon may give for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use icn_identity::client::ClientError;
use icn_identity::daemon::TlsRequest;
use icn_identity::peer::Instance;
use icn_identity::{IdentityBundle, Key, Software, Unlocked};
use serde_json::{Value, json};

use super::connect;
use super::server::{Server, certificate, certificate_of, yes};

/// A key of this process, a certificate that is its own, and another one at each renewal.
#[test]
fn a_tls_key_is_made_here_and_bound_by_the_daemon() {
    let server = Server::honest();
    let tls = connect(&server).unwrap().tls().unwrap();
    assert_eq!((tls.did(), tls.binding().did()), (&server.did(), &server.did()));
    assert_eq!(tls.binding().instance(), Some(tls.instance()));
    let (certificate, key) = tls.certificate_and_key_der();
    assert_eq!((certificate, key.len()), (tls.certificate_der(), 48));
    // Of the request, the public part alone is the key's.
    let sent = server.requests().pop().unwrap();
    let body = sent.json();
    assert_eq!(body["instance"], tls.instance().to_string());
    assert_eq!(STANDARD.decode(body["spki"].as_str().unwrap()).unwrap(), tls.binding().tls_spki());
    assert_eq!(body.as_object().unwrap().len(), 2);
    let instance = *tls.instance();
    let first = tls.certificate_der();
    assert!(!tls.renew_if_due(SystemTime::now()).unwrap());
    assert_eq!(tls.certificate_der(), first);
    assert!(tls.renew_if_due(tls.renewal_due_at()).unwrap());
    assert!(tls.certificate_der() != first && *tls.instance() == instance);
    let shown = format!("{tls:?}");
    assert!(shown.contains(server.did().as_str()) && !shown.contains("key"), "{shown}");
}

/// Of what a daemon says of a later epoch, that there is one is believed.
#[test]
fn a_later_epoch_of_the_daemon_has_a_tls_key_renewed() {
    let server = Server::with(|key, request| {
        (request.call == "GET /v1/status").then(|| {
            let epoch = 4_000_000_000_u64;
            yes(&json!({ "state": "unlocked", "did": key.did(), "backend": "age", "epoch": epoch }))
        })
    });
    let tls = connect(&server).unwrap().tls().unwrap();
    let first = tls.certificate_der();
    assert!(tls.renew_if_due(SystemTime::now()).unwrap());
    assert_ne!(tls.certificate_der(), first);
}

/// Whatever a daemon gives for a TLS key: what is not of this DID, this key and this instance
/// is not used, and the one in use stays.
#[test]
fn a_certificate_that_is_not_of_what_was_asked_is_not_used() {
    let other = Arc::new(Key::<Software, Unlocked>::generate().unwrap());
    let turn = Arc::new(AtomicUsize::new(0));
    let (counted, others) = (turn.clone(), other.clone());
    let start =
        |value: &Value| STANDARD.decode(value["certificate_start"].as_str().unwrap()).unwrap();
    let server = Server::with(move |key, request| {
        if request.call != "POST /v1/tls" {
            return None;
        }
        let good = certificate(key, request);
        let asked = TlsRequest::parse(&request.body).unwrap();
        let with = |bytes: &[u8]| {
            let mut told = good.clone();
            told["certificate_start"] = STANDARD.encode(bytes).into();
            told
        };
        let (good_start, kept) = (start(&good), Instance::from_bytes([9; 16]));
        // The signature of the DID's key.
        let mut flipped = good_start.clone();
        let tag = flipped.windows(2).rposition(|tag| tag == [0x04, 64]).unwrap();
        flipped[tag + 2] ^= 1;
        let of_other = certificate_of(&others, &asked.spki, asked.instance);
        let bundle = IdentityBundle::issue(&*others).unwrap();
        let foreign_spki = bundle.binding().tls_spki().to_vec();
        let told = match counted.fetch_add(1, Ordering::SeqCst) {
            0 => good,
            // Of another DID: told so, and not.
            1 => of_other,
            2 => with(&start(&of_other)),
            // Of another key, and of another instance.
            3 => certificate_of(key, &foreign_spki, asked.instance),
            4 => certificate_of(key, &asked.spki, kept),
            // No certificate; and something else to sign.
            5 => with(b""),
            6 => with(&good_start[..good_start.len() - 1]),
            7 => with(&[&[b' '; 64][..], b"TLS 1.3, server CertificateVerify\0"].concat()),
            8 => with(&flipped),
            _ => with(&[&good_start[..], &[0; 3]].concat()),
        };
        Some(yes(&told))
    });
    let tls = connect(&server).unwrap().tls().unwrap();
    let first = tls.certificate_der();
    for number in 1..10 {
        let error = tls.renew().unwrap_err();
        let is_typed = match number {
            1 | 2 => matches!(error, ClientError::OtherDid { .. }),
            3 | 8 => matches!(error, ClientError::Certificate(_)),
            _ => matches!(error, ClientError::Malformed { .. }),
        };
        assert!(is_typed && error.help().is_some(), "{number}: {error:?}");
        assert_eq!(tls.certificate_der(), first, "{number}");
    }
    assert_eq!(turn.load(Ordering::SeqCst), 10);
}
