//! Each reason to refuse a peer, by a certificate that is good but for it. Each
//! is shown to a server and to a client of ours, in a handshake.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use icn_identity::bundle::{BindingNumber, Instance};
use icn_identity::peer::Refusal;
use icn_identity::tls::{
    DidVerifier, Highest, MemorySequences, SequenceError, SequenceStore, refusal_of, server_name,
};
use icn_identity::{Did, DidMethod};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SignatureAlgorithm,
    SigningKey,
};
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier as _;

use crate::craft::{BINDING, Craft, DAY, TlsKey, now, uri, variant};
use crate::wire::{Ended, handshake};
use crate::{anybody, bundle, pinned};

#[test]
fn a_good_certificate_of_another_hand_is_accepted() {
    let craft = Craft::new();
    craft.assert_accepted(craft.good(), &anybody());
    craft.assert_accepted(craft.good(), &pinned(&craft.did));
    let others = [bundle().did().clone(), craft.did.clone()];
    craft.assert_accepted(craft.good(), &Arc::new(DidVerifier::allowed(others)));
    // What is unknown and not critical does not matter.
    let unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    let more = craft.with(|params| params.custom_extensions.push(unknown));
    craft.assert_accepted(more, &anybody());
}

#[test]
fn another_did_is_refused_by_pin_list_and_callback() {
    let (craft, other) = (Craft::new(), bundle().did().clone());
    let chain = [craft.good()];
    craft.assert_refused(&chain, &pinned(&other), "NotExpected");
    let list = Arc::new(DidVerifier::allowed([other.clone()]));
    craft.assert_refused(&chain, &list, "NotExpected");
    craft.assert_refused(&chain, &Arc::new(DidVerifier::allowed([])), "NotExpected");
    let asked = Arc::new(DidVerifier::deciding(move |did| *did == other));
    craft.assert_refused(&chain, &asked, "NotExpected");
    // The same key by another method is another DID.
    let by_key = Did::from_key(DidMethod::Key, craft.did.verifying_key()).unwrap();
    craft.assert_refused(&chain, &pinned(&by_key), "NotExpected");
}

#[test]
fn an_expired_and_an_early_certificate_are_refused() {
    let craft = Craft { not_after: now() - 400, not_before: now() - DAY, ..Craft::new() };
    craft.refused(craft.good(), "Expired");
    let craft = Craft { not_before: now() + 400, ..Craft::new() };
    craft.refused(craft.good(), "NotYetValid");
    let craft = Craft { not_after: now() + 30 * DAY, ..Craft::new() };
    craft.assert_accepted(craft.good(), &anybody());
    let week = std::time::Duration::from_secs(7 * DAY + 300);
    let limited = Arc::new(DidVerifier::deciding(|_| true).with_longest_validity(week));
    craft.assert_refused(&[craft.good()], &limited, "ValidForTooLong");
}

/// A binding is of use with what it was signed for, and with nothing else.
#[test]
fn a_binding_replayed_onto_anything_else_is_refused() {
    let craft = Craft::new();
    let replayed = craft.extension();
    let replay = |other: Craft| {
        let extension = replayed.clone();
        let certificate = other.with(|params| params.custom_extensions = vec![extension]);
        other.refused(certificate, "BindingSignature");
    };
    replay(Craft { tls: TlsKey::new(), ..craft.clone() });
    replay(Craft { not_after: craft.not_after + 1, ..craft.clone() });
    replay(Craft { not_before: craft.not_before - 1, ..craft.clone() });
    replay(Craft { did: bundle().did().clone(), ..craft.clone() });
    // Another name for the same key was not signed for either.
    let by_key = Did::from_key(DidMethod::Key, craft.did.verifying_key()).unwrap();
    replay(Craft { did: by_key, ..craft.clone() });

    // What the extension itself says is signed as well.
    let signature = craft.binding_signature();
    for other in [
        Craft { x25519: [0x26; 32], ..craft.clone() },
        Craft { sequence: craft.sequence + 1, ..craft.clone() },
        Craft { instance: [0x18; 16], ..craft.clone() },
        Craft { epoch: craft.epoch + 1, ..craft.clone() },
    ] {
        let value = other.value(&signature);
        let extension = CustomExtension::from_oid_content(&BINDING, value);
        let certificate = other.with(|params| params.custom_extensions = vec![extension]);
        other.refused(certificate, "BindingSignature");
    }
    // Somebody who has no key of the DID.
    let forged = CustomExtension::from_oid_content(&BINDING, craft.value(&[7; 64]));
    craft.refused(craft.with(|params| params.custom_extensions = vec![forged]), "BindingSignature");
}

#[test]
fn a_binding_missing_doubled_critical_or_unreadable_is_refused() {
    let craft = Craft::new();
    let with = |extensions: Vec<CustomExtension>| {
        craft.with(|params| params.custom_extensions = extensions)
    };
    craft.refused(with(vec![]), "NoBinding");
    let (one, two) = (craft.extension(), craft.extension());
    craft.refused(with(vec![one, two]), "DuplicateExtension");
    let mut critical = craft.extension();
    critical.set_criticality(true);
    craft.refused(with(vec![critical]), "MalformedBinding");

    let good = craft.value(&craft.binding_signature());
    let raw = |value: Vec<u8>| with(vec![CustomExtension::from_oid_content(&BINDING, value)]);
    craft.assert_accepted(raw(good.clone()), &anybody());
    let mut newer = good.clone();
    newer[4] = 2;
    craft.refused(raw(newer), "BindingVersion");
    // A sequence number of two bytes where one would do.
    let mut longer = good.clone();
    longer.splice(5..8, [2, 2, 0, 5]);
    // 128 bytes, and so in the long form.
    longer.splice(1..2, [0x81, 128]);
    craft.refused(raw(longer), "MalformedBinding");
    // A length in the long form where the short one does, and the other way round.
    craft.refused(raw([&[0x30, 0x81], &good[1..]].concat()), "MalformedBinding");
    let long = Craft { epoch: 128, ..craft.clone() };
    long.assert_accepted(long.good(), &anybody());
    let mut shorter = long.value(&long.binding_signature());
    assert_eq!(shorter[..3], [0x30, 0x81, 128]);
    shorter.remove(1);
    let shorter = CustomExtension::from_oid_content(&BINDING, shorter);
    let shorter = long.with(|params| params.custom_extensions = vec![shorter]);
    long.refused(shorter, "MalformedBinding");
    // An instance without an epoch, and an epoch without an instance.
    let signature = craft.binding_signature();
    let instance = [&[4, 16][..], &craft.instance].concat();
    craft.refused(raw(craft.value_with(&instance, &signature)), "MalformedBinding");
    craft.refused(raw(craft.value_with(&[2, 1, 0], &signature)), "MalformedBinding");
    craft.refused(raw([&good[..], &[5, 0]].concat()), "MalformedBinding");
    craft.refused(raw(vec![5, 0]), "MalformedBinding");
}

/// The old form says nothing of who may replace it: its owner renews it by opening.
#[test]
fn a_binding_that_names_no_instance_is_refused() {
    let craft = Craft::new();
    let (old, new) = (craft.old_binding_signature(), craft.binding_signature());
    let with = |value: Vec<u8>| {
        let extension = CustomExtension::from_oid_content(&BINDING, value);
        craft.with(|params| params.custom_extensions = vec![extension])
    };
    let error = craft.show(&[with(craft.value_with(&[], &old))], &anybody())[0].clone();
    let refusal = refusal_of(error.as_ref().unwrap_err()).unwrap();
    assert!(matches!(refusal, Refusal::NoInstance), "{refusal:?}");
    assert!(refusal.help().unwrap().contains("renewed when the identity is opened"));
    for signature in [&old, &new] {
        craft.refused(with(craft.value_with(&[], signature)), "NoInstance");
    }
    // Nor does its signature stand for an instance that it does not name.
    craft.refused(with(craft.value(&old)), "BindingSignature");
}

#[test]
fn a_certificate_names_one_did_and_nothing_else() {
    let craft = Craft::new();
    let did = craft.did.as_str().to_owned();
    let named = |names: Vec<SanType>| craft.with(|params| params.subject_alt_names = names);
    craft.refused(named(vec![]), "Names");
    craft.refused(named(vec![uri(&did), uri(&did)]), "Names");
    craft.refused(named(vec![uri(&did), uri(bundle().did().as_str())]), "Names");
    let dns = SanType::DnsName("example.org".try_into().unwrap());
    craft.refused(named(vec![uri(&did), dns.clone()]), "Names");
    craft.refused(named(vec![dns]), "Names");
    craft.refused(named(vec![uri("https://example.org")]), "Did");
    craft.refused(named(vec![uri(&format!("{did}#key"))]), "Did");
    // A second extension of alternative names, as rcgen would not write it.
    let name = [&[0x86, u8::try_from(did.len()).unwrap()], did.as_bytes()].concat();
    let names = [&[0x30, u8::try_from(name.len()).unwrap()], &name[..]].concat();
    let second = CustomExtension::from_oid_content(&[2, 5, 29, 17], names);
    let doubled = craft.with(|params| params.custom_extensions.push(second));
    craft.refused(doubled, "DuplicateExtension");
}

#[test]
fn a_certificate_for_something_else_is_refused() {
    let craft = Craft::new();
    let mut critical = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    critical.set_criticality(true);
    let unknown = craft.with(|params| params.custom_extensions.push(critical));
    craft.refused(unknown, "UnknownCriticalExtension");
    let authority = |params: &mut CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    };
    craft.refused(craft.with(authority), "Authority");
    craft.refused(craft.with(|params| params.key_usages = vec![]), "KeyUsage");
    let agreement = |params: &mut CertificateParams| {
        params.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    };
    craft.refused(craft.with(agreement), "KeyUsage");
    for purposes in [vec![], vec![ExtendedKeyUsagePurpose::CodeSigning]] {
        let certificate = craft.with(|params| params.extended_key_usages = purposes);
        craft.refused(certificate, "ExtendedKeyUsage");
    }
}

#[test]
fn a_certificate_for_one_side_is_refused_on_the_other() {
    let craft = Craft::new();
    let only = |purpose| craft.with(|params| params.extended_key_usages = vec![purpose]);
    let chain = [only(ExtendedKeyUsagePurpose::ServerAuth)];
    let [as_client, as_server] = craft.show(&chain, &anybody());
    assert_eq!(variant(&as_client.unwrap_err()), "ExtendedKeyUsage");
    as_server.unwrap();
    let chain = [only(ExtendedKeyUsagePurpose::ClientAuth)];
    let [as_client, as_server] = craft.show(&chain, &anybody());
    as_client.unwrap();
    assert_eq!(variant(&as_server.unwrap_err()), "ExtendedKeyUsage");
}

/// A key of another kind, for certificates.
struct Curve(p256::ecdsa::SigningKey, Vec<u8>);

impl Curve {
    fn new() -> Self {
        let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        Self(key, point)
    }
}

impl PublicKeyData for Curve {
    fn der_bytes(&self) -> &[u8] {
        &self.1
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for Curve {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: p256::ecdsa::Signature = signature::Signer::sign(&self.0, message);
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

#[test]
fn other_keys_and_other_signatures_are_refused() {
    let craft = Craft::new();
    let p256 = craft.params().self_signed(&Curve::new()).unwrap().der().to_vec();
    craft.refused(p256, "KeyAlgorithm");
    // Of small order: anybody could sign under it.
    let mut weak = [0; 32];
    weak[0] = 1;
    let shown = Craft { tls: craft.tls.showing(weak), ..craft.clone() };
    craft.refused(shown.good(), "Key");
    // Signed by another key, of this kind and of another.
    let shown = Craft { tls: craft.tls.showing(TlsKey::new().public()), ..craft.clone() };
    craft.refused(shown.good(), "SelfSignature");
    let issuer = Issuer::new(craft.params(), Curve::new());
    let by_p256 = craft.params().signed_by(&craft.tls, &issuer).unwrap().der().to_vec();
    craft.refused(by_p256, "SignatureAlgorithm");
    let mut flipped = craft.good();
    *flipped.last_mut().unwrap() ^= 1;
    craft.refused(flipped, "SelfSignature");
    // The certificate of one, shown by another: its key is not there.
    let good = craft.good();
    let thief = Craft { tls: TlsKey::new(), ..craft.clone() };
    thief.refused(good, "HandshakeSignature");
}

/// What is signed says by which algorithm, once more (RFC 5280, section 4.1.1.2).
#[test]
fn a_certificate_that_names_another_signature_algorithm_inside_is_refused() {
    const ED25519: [u8; 7] = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70];
    let craft = Craft::new();
    let good = craft.good();
    let signed = &good[4..good.len() - (ED25519.len() + 3 + 64)];
    let resigned = |signed: &[u8]| {
        let signature = ed25519_dalek::Signer::sign(&craft.tls.0, signed).to_bytes();
        let body = [signed, &ED25519, &[3, 0x41, 0], &signature].concat();
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[0x30, 0x82], &length[..], &body].concat()
    };
    craft.assert_accepted(resigned(signed), &anybody());
    let at = signed.windows(ED25519.len()).position(|bytes| bytes == ED25519).unwrap();
    let mut ed448 = signed.to_vec();
    ed448[at + 6] = 0x71;
    craft.refused(resigned(&ed448), "SignatureAlgorithm");
    // Ed25519 with parameters, which it has none of (RFC 8410, section 3).
    let with_null = [&[0x30, 7][..], &ED25519[2..], &[5, 0]].concat();
    let mut null = [&signed[..at], &with_null, &signed[at + ED25519.len()..]].concat();
    let length = u16::try_from(null.len() - 4).unwrap().to_be_bytes();
    null[2..4].copy_from_slice(&length);
    craft.refused(resigned(&null), "SignatureAlgorithm");
}

#[test]
fn what_is_not_one_certificate_is_refused() {
    let craft = Craft::new();
    let good = craft.good();
    craft.refused([&good[..], &[0]].concat(), "TrailingBytes");
    craft.refused([&good[..], &good].concat(), "TrailingBytes");
    craft.refused(b"not a certificate".to_vec(), "Malformed");
    craft.refused(good[..good.len() - 1].to_vec(), "Malformed");
    // The length in a longer form.
    let (length, rest) = (&good[2..4], &good[4..]);
    craft.refused([&[0x30, 0x83, 0], length, rest].concat(), "Malformed");
    let version = good.windows(5).position(|bytes| bytes == [0xa0, 3, 2, 1, 2]).unwrap();
    let mut older = good.clone();
    older[version + 4] = 1;
    craft.refused(older, "Version");
    // Of an extension that is known to who reads certificates, here nameConstraints.
    let unreadable = CustomExtension::from_oid_content(&[2, 5, 29, 30], vec![0xff]);
    let certificate = craft.with(|params| params.custom_extensions.push(unreadable));
    craft.refused(certificate, "Malformed");
    let large = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![0; 5000]);
    craft.refused(craft.with(|params| params.custom_extensions = vec![large]), "TooLarge");
    let second = Craft::new().good();
    craft.assert_refused(&[good.clone(), second], &anybody(), "Intermediates");
    craft.assert_refused(&[good.clone(), good], &anybody(), "Intermediates");
}

#[test]
fn a_lower_sequence_number_is_refused() {
    let craft = Craft::new();
    let verifier = pinned(&craft.did);
    craft.assert_accepted(craft.good(), &verifier);
    let older = Craft { sequence: 4, tls: TlsKey::new(), ..craft.clone() };
    older.assert_refused(&[older.good()], &verifier, "Superseded");
    // The same again, another certificate with the same, and a later one.
    craft.assert_accepted(craft.good(), &verifier);
    let same = Craft { tls: TlsKey::new(), ..craft.clone() };
    same.assert_accepted(same.good(), &verifier);
    let later = Craft { sequence: 6, tls: TlsKey::new(), ..craft.clone() };
    later.assert_accepted(later.good(), &verifier);
    craft.assert_refused(&[craft.good()], &verifier, "Superseded");
    // Another verifier has not seen it.
    craft.assert_accepted(craft.good(), &pinned(&craft.did));
}

/// Holders of one DID count for themselves.
#[test]
fn a_sequence_number_counts_for_its_instance() {
    let craft = Craft::new();
    let verifier = pinned(&craft.did);
    craft.assert_accepted(craft.good(), &verifier);
    let other =
        |sequence| Craft { sequence, instance: [0x18; 16], tls: TlsKey::new(), ..craft.clone() };
    let (first, second) = (other(1), other(2));
    first.assert_accepted(first.good(), &verifier);
    second.assert_accepted(second.good(), &verifier);
    craft.assert_accepted(craft.good(), &verifier);
    first.assert_refused(&[first.good()], &verifier, "Superseded");
    second.assert_accepted(second.good(), &verifier);
}

#[test]
fn an_earlier_epoch_is_refused_whatever_the_instance_and_the_number() {
    let craft = Craft { epoch: 3, ..Craft::new() };
    let verifier = pinned(&craft.did);
    let earlier = |instance, sequence, epoch| Craft {
        instance,
        sequence,
        epoch,
        tls: TlsKey::new(),
        ..craft.clone()
    };
    let others =
        [earlier(craft.instance, 6, 2), earlier([0x18; 16], 1 << 40, 2), earlier([0x19; 16], 5, 0)];
    // Each is good before the later epoch was seen; here by verifiers of their own.
    for other in &others {
        other.assert_accepted(other.good(), &pinned(&craft.did));
    }
    craft.assert_accepted(craft.good(), &verifier);
    for other in &others {
        other.assert_refused(&[other.good()], &verifier, "EarlierEpoch");
    }
    let told = others[1].show(&[others[1].good()], &verifier)[0].clone().unwrap_err();
    let refusal = refusal_of(&told).unwrap();
    let text = format!("the binding of {} is of epoch 2; epoch 3 was seen before", craft.did);
    assert_eq!(refusal.to_string(), text);
    let help = refusal.help().unwrap();
    assert!(help.contains("join epoch 3 (`IdentityStore::join_epoch`)"), "{help}");
    // In the later epoch everybody begins anew.
    let joined = earlier([0x18; 16], 1, 3);
    joined.assert_accepted(joined.good(), &verifier);
    let next = earlier([0x18; 16], 1, 4);
    next.assert_accepted(next.good(), &verifier);
    craft.assert_refused(&[craft.good()], &verifier, "EarlierEpoch");
}

/// Counts whom it is asked about, and fails if told so.
struct Store(AtomicUsize, bool);

impl SequenceStore for Store {
    fn highest(&self, _: &Did, _: &Instance) -> Result<Highest, SequenceError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let gone = || SequenceError::Store("the disk is gone".into());
        if self.1 { Err(gone()) } else { Ok(Highest::NOTHING) }
    }
    fn admit(&self, _: &Did, _: &Instance, _: BindingNumber) -> Result<(), SequenceError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        if self.1 { Err(SequenceError::Store("the disk is gone".into())) } else { Ok(()) }
    }
}

#[test]
fn a_store_that_fails_refuses_everybody() {
    let craft = Craft::new();
    let store = Arc::new(Store(AtomicUsize::new(0), true));
    let verifier = DidVerifier::pinned(craft.did.clone()).with_sequences(store.clone());
    craft.assert_refused(&[craft.good()], &Arc::new(verifier), "Sequences");
    assert_eq!(store.0.load(Ordering::Relaxed), 2);
}

/// Reads, and cannot write: a full disk.
struct ReadOnly;

impl SequenceStore for ReadOnly {
    fn highest(&self, _: &Did, _: &Instance) -> Result<Highest, SequenceError> {
        Ok(Highest::NOTHING)
    }
    fn admit(&self, _: &Did, _: &Instance, _: BindingNumber) -> Result<(), SequenceError> {
        Err(SequenceError::Store("the disk is full".into()))
    }
}

#[test]
fn a_number_that_cannot_be_remembered_is_not_admitted() {
    let craft = Craft::new();
    let verifier = DidVerifier::pinned(craft.did.clone()).with_sequences(Arc::new(ReadOnly));
    craft.assert_refused(&[craft.good()], &Arc::new(verifier), "Sequences");
}

/// Whoever was once shown a certificate can show it to others.
#[test]
fn a_certificate_shown_without_its_key_raises_no_number() {
    let craft = Craft::new();
    shown_without_its_key(&craft, Craft { sequence: 6, ..craft.clone() }, "Superseded");
    let (instance, epoch) = ([0x18; 16], 1);
    shown_without_its_key(&craft, Craft { instance, epoch, ..craft.clone() }, "EarlierEpoch");
}

fn shown_without_its_key(craft: &Craft, later: Craft, refused: &str) {
    let later = Craft { tls: TlsKey::new(), ..later };
    let verifier = pinned(&craft.did);
    craft.assert_accepted(craft.good(), &verifier);
    let (der, now) = (CertificateDer::from(later.good()), UnixTime::now());
    // The certificate alone, as far as a peer gets that then falls silent.
    verifier.verify_server_cert(&der, &[], &server_name(), &[], now).unwrap();
    verifier.verify_client_cert(&der, &[], now).unwrap();
    craft.assert_accepted(craft.good(), &verifier);
    // With a handshake that another key has signed.
    let thief = Craft { tls: TlsKey::new(), ..later.clone() };
    thief.assert_refused(&[later.good()], &verifier, "HandshakeSignature");
    craft.assert_accepted(craft.good(), &verifier);
    // Its owner does raise it.
    later.assert_accepted(later.good(), &verifier);
    craft.assert_refused(&[craft.good()], &verifier, refused);
}

/// Two handshakes that overlap: what counts is what was signed.
#[test]
fn a_number_is_compared_again_when_the_handshake_is_signed() {
    let craft = Craft::new();
    let later = Craft { sequence: 6, tls: TlsKey::new(), ..craft.clone() };
    let sequences = Arc::new(MemorySequences::new());
    let verifier = Arc::new(
        DidVerifier::pinned(craft.did.clone()).with_sequences(Arc::new(Forgets(sequences.clone()))),
    );
    later.assert_accepted(later.good(), &verifier);
    craft.assert_refused(&[craft.good()], &verifier, "Superseded");
    let epoch = Craft { epoch: 1, instance: [0x18; 16], tls: TlsKey::new(), ..craft.clone() };
    epoch.assert_accepted(epoch.good(), &verifier);
    craft.assert_refused(&[craft.good()], &verifier, "EarlierEpoch");
}

/// As if the later number had come between the two questions.
struct Forgets(Arc<MemorySequences>);

impl SequenceStore for Forgets {
    fn highest(&self, _: &Did, _: &Instance) -> Result<Highest, SequenceError> {
        Ok(Highest::NOTHING)
    }
    fn admit(
        &self,
        did: &Did,
        instance: &Instance,
        number: BindingNumber,
    ) -> Result<(), SequenceError> {
        self.0.admit(did, instance, number)
    }
}

#[test]
fn nothing_is_asked_or_remembered_about_strangers() {
    let craft = Craft::new();
    let store = Arc::new(Store(AtomicUsize::new(0), false));
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let decide = move |_: &Did| {
        counter.fetch_add(1, Ordering::Relaxed);
        false
    };
    let verifier = Arc::new(DidVerifier::deciding(decide).with_sequences(store.clone()));
    // Not proven: the policy is not asked.
    let forged = CustomExtension::from_oid_content(&BINDING, craft.value(&[7; 64]));
    let forged = craft.with(|params| params.custom_extensions = vec![forged]);
    craft.assert_refused(&[forged], &verifier, "BindingSignature");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    // Proven and not accepted: the store is not.
    craft.assert_refused(&[craft.good()], &verifier, "NotExpected");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert_eq!(store.0.load(Ordering::Relaxed), 0);
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let ours = bundle();
    let server = Arc::new(ours.tls_server_config(&anybody()).unwrap());
    let builder = rustls::ClientConfig::builder_with_provider(
        rustls::crypto::ring::default_provider().into(),
    );
    let client = builder
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(anybody())
        .with_no_client_auth();
    match handshake(&server, &Arc::new(client)) {
        Err(Ended::ByServer(rustls::Error::NoCertificatesPresented)) => {}
        other => panic!("{other:?}"),
    }
}
