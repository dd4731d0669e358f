//! Each part belongs to the binding, in its present form and in the old one.

use super::*;
use crate::binding::Instance;
use crate::bundle::{DEFAULT_VALIDITY, UnverifiedBinding};
use crate::key::{Key, Software, Unlocked};
use crate::peer::Refusal;
use crate::signer::sign_statement;

const HOLDER: Holder = Holder { instance: Instance::from_bytes([0x17; 16]), epoch: 3 };

fn issued_at(
    did: &Did,
    at: SystemTime,
    sign: impl Fn(&[u8]) -> Result<Signature, SignError>,
) -> Companions {
    let x25519 = X25519Seed::generate().unwrap();
    Companions::issue(did, at, DEFAULT_VALIDITY, HOLDER, x25519, sign).unwrap()
}

fn issued(key: &Key<Software, Unlocked>) -> Companions {
    let sign = |statement: &[u8]| sign_statement(&key, statement);
    issued_at(key.did(), SystemTime::now(), sign)
}

fn mismatch(companions: &Companions, did: &Did) -> &'static str {
    match companions.check(did) {
        Err(BundleError::Mismatch { what }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_part_must_belong_to_the_binding() {
    let (key, other) = (Key::generate().unwrap(), Key::generate().unwrap());
    let did = key.did();
    issued(&key).check(did).unwrap();

    let companions = issued(&other);
    assert_eq!(mismatch(&companions, did), "DID");
    let companions = Companions { tls_key: issued(&key).tls_key, ..issued(&key) };
    assert_eq!(mismatch(&companions, did), "TLS key");
    let companions = Companions { x25519: issued(&key).x25519, ..issued(&key) };
    assert_eq!(mismatch(&companions, did), "X25519 key");
    let companions = Companions { certificate: issued(&key).certificate, ..issued(&key) };
    assert_eq!(mismatch(&companions, did), "certificate");
}

/// A device that asks for a touch asks once a week, and not three times.
#[test]
fn a_renewal_costs_one_signature_and_leaves_the_document() {
    let key = Key::<Software, Unlocked>::generate().unwrap();
    let count = std::cell::Cell::new(0);
    let sign = |statement: &[u8]| {
        count.set(count.get() + 1);
        sign_statement(&key, statement)
    };
    let now = SystemTime::now();
    let made = issued_at(key.did(), now, sign);
    assert_eq!(count.replace(0), 3);
    let renewed = made
        .renewed(key.did(), (now, DEFAULT_VALIDITY), made.binding().sequence(), HOLDER, sign)
        .unwrap();
    assert_eq!(count.replace(0), 1);
    assert_ne!(renewed.certificate, made.certificate);
    assert_eq!(renewed.document, made.document);
    let old = Companions { document: None, ..made.copy() };
    let renewed = old.renewed(key.did(), (now, DEFAULT_VALIDITY), 0, HOLDER, sign).unwrap();
    assert_eq!(count.get(), 3);
    assert!(renewed.document.is_some());
}

#[test]
fn the_document_must_belong_to_the_bundle() {
    let (key, other) = (Key::generate().unwrap(), Key::generate().unwrap());
    let refused = |document: Option<DidDocument>| match (Companions { document, ..issued(&key) })
        .check(key.did())
    {
        Err(BundleError::Document(InvalidDocument::Mismatch { what })) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(issued(&other).document), "DID");
    assert_eq!(refused(issued(&key).document), "X25519 key");
}

#[test]
fn a_certificate_with_anything_changed_is_refused() {
    let key = Key::generate().unwrap();
    let good = issued(&key);
    for at in 0..good.certificate.len() {
        let mut companions = good.copy();
        companions.certificate[at] ^= 1;
        let refused = companions.check(key.did());
        assert!(refused.is_err(), "byte {at}");
    }
    let mut longer = good.copy();
    longer.certificate.push(0);
    let refused = longer.check(key.did()).unwrap_err();
    assert!(matches!(refused, BundleError::Refused(Refusal::TrailingBytes)), "{refused}");
}

/// Each certificate is good, and belongs to the key and to the times; only
/// what it carries is another's.
#[test]
fn a_certificate_carries_exactly_the_binding_it_belongs_to() {
    let key = Key::generate().unwrap();
    let good = issued(&key);
    let did = key.did();
    let (binding, tls_key) = (good.binding(), &good.tls_key);
    let terms = || Terms {
        tls_spki: tls::spki(tls_key),
        x25519_public: *binding.x25519_public_key().as_bytes(),
        not_before: binding.not_before(),
        not_after: binding.not_after(),
        sequence: binding.sequence(),
        holder: Some(HOLDER),
    };
    let of = |holder| Terms { holder, ..terms() };
    for terms in [
        Terms { x25519_public: [9; 32], ..terms() },
        Terms { sequence: binding.sequence() + 1, ..terms() },
        of(Some(Holder { instance: Instance::from_bytes([0x18; 16]), ..HOLDER })),
        of(Some(Holder { epoch: 4, ..HOLDER })),
        of(None),
    ] {
        let unsigned = Binding::unverified(did.clone(), terms, [0; 64]);
        let signature = sign_statement(&key, &unsigned.statement()).unwrap();
        let other = unsigned.signed(&signature).unwrap();
        let certificate = tls::certificate(tls_key, &other).unwrap();
        let companions = Companions { certificate, ..good.copy() };
        assert_eq!(mismatch(&companions, did), "certificate");
    }
    let same = tls::certificate(tls_key, binding).unwrap();
    Companions { certificate: same, ..good.copy() }.check(did).unwrap();
}

#[test]
fn the_sequence_number_is_the_time_and_grows_whatever_the_clock_does() {
    let key = Key::<Software, Unlocked>::generate().unwrap();
    let sign = |statement: &[u8]| sign_statement(&key, statement);
    let now = SystemTime::now();
    let ahead = now + 100 * DEFAULT_VALIDITY;
    let renewed = |old: &Companions, at| {
        let highest = old.binding().sequence();
        let new = old.renewed(key.did(), (at, DEFAULT_VALIDITY), highest, HOLDER, sign);
        new.unwrap().binding().sequence()
    };
    let made = issued_at(key.did(), now, sign);
    assert_eq!(made.binding().sequence(), clock::unix(now));
    assert_eq!(renewed(&made, now), clock::unix(now) + 1);
    assert_eq!(renewed(&made, ahead), clock::unix(ahead));
    let made = issued_at(key.did(), ahead, sign);
    assert_eq!(renewed(&made, now), clock::unix(ahead) + 1);
}

#[test]
fn a_certificate_of_an_older_version_opens_and_wants_renewal() {
    let key = Key::generate().unwrap();
    let now = SystemTime::now();
    let good = issued(&key);
    assert!(!good.wants_renewal(now));
    let sign = |statement: &[u8]| sign_statement(&key, statement);
    for carried in [false, true] {
        let old = good.of_an_older_version(carried, sign);
        old.check(key.did()).unwrap();
        assert_eq!(old.binding().instance(), None);
        assert!(old.wants_renewal(now));
        assert!(!old.wants_renewal(SystemTime::UNIX_EPOCH));
        let highest = old.binding().sequence();
        let renewed =
            old.renewed(key.did(), (now, DEFAULT_VALIDITY), highest, HOLDER, sign).unwrap();
        assert!(!renewed.wants_renewal(now));
        assert_eq!(renewed.binding().instance(), Some(&HOLDER.instance));
        assert!(renewed.binding().sequence() > old.binding().sequence());
        // A certificate of one form beside a binding of the other.
        let binding = good.binding().clone();
        let mixed = Companions { binding, ..old.copy() };
        if carried {
            assert_eq!(mismatch(&mixed, key.did()), "certificate");
        } else {
            // As none is carried, none contradicts; it is renewed as well.
            mixed.check(key.did()).unwrap();
            assert!(mixed.wants_renewal(now));
        }
    }
}

/// The signature of one form is none of the other.
#[test]
fn the_old_form_verifies_over_the_old_bytes_and_nothing_is_in_between() {
    let key = Key::generate().unwrap();
    let sign = |statement: &[u8]| sign_statement(&key, statement);
    let old = issued(&key).of_an_older_version(true, sign);
    let json = serde_json::to_value(old.binding()).unwrap();
    assert_eq!(json.get("instance").or(json.get("epoch")), None);
    serde_json::from_value::<UnverifiedBinding>(json.clone()).unwrap().verify().unwrap();
    let instance = Value::from("17".repeat(16));
    let with = |instance: Option<&Value>, epoch: Option<u64>| {
        let mut changed = json.clone();
        if let Some(instance) = instance {
            changed["instance"] = instance.clone();
        }
        if let Some(epoch) = epoch {
            changed["epoch"] = epoch.into();
        }
        serde_json::from_value::<UnverifiedBinding>(changed)
    };
    with(Some(&instance), Some(0)).unwrap().verify().unwrap_err();
    for half in [with(Some(&instance), None), with(None, Some(0))] {
        assert!(half.unwrap_err().to_string().contains("an instance and an epoch, or neither"));
    }
    let mut stripped = serde_json::to_value(issued(&key).binding()).unwrap();
    stripped.as_object_mut().unwrap().retain(|name, _| name != "instance" && name != "epoch");
    serde_json::from_value::<UnverifiedBinding>(stripped).unwrap().verify().unwrap_err();
}

/// Every field is signed.
#[test]
fn a_binding_with_anything_changed_is_refused() {
    let key = Key::generate().unwrap();
    let good = serde_json::to_value(issued(&key).binding()).unwrap();
    let other = serde_json::to_value(issued(&key).binding()).unwrap();
    for field in ["tls_spki", "x25519_public", "signature"] {
        let mut changed = good.clone();
        changed[field] = other[field].clone();
        let binding: UnverifiedBinding = serde_json::from_value(changed).unwrap();
        assert!(binding.verify().is_err(), "{field}");
    }
    for field in ["not_before", "not_after", "sequence", "epoch"] {
        let mut changed = good.clone();
        changed[field] = (good[field].as_u64().unwrap() + 1).into();
        let binding: UnverifiedBinding = serde_json::from_value(changed).unwrap();
        assert!(binding.verify().is_err(), "{field}");
    }
    let mut changed = good.clone();
    changed["instance"] = "18".repeat(16).into();
    let binding: UnverifiedBinding = serde_json::from_value(changed).unwrap();
    assert!(binding.verify().is_err());
    serde_json::from_value::<UnverifiedBinding>(good).unwrap().verify().unwrap();
}
