//! No byte of a certificate can be changed, dropped or added.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use icn_identity::Did;
use icn_identity::tls::{DidVerifier, refusal_of};
use proptest::prelude::*;
use rcgen::CustomExtension;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier as _;

use crate::craft::{BINDING, Craft, now, variant};
use crate::{anybody, bundle};

fn verify(verifier: &DidVerifier, der: &[u8]) -> Result<(), rustls::Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()));
    verifier.verify_client_cert(&CertificateDer::from(der), &[], now).map(drop)
}

#[test]
fn a_certificate_with_any_bit_flipped_is_refused() {
    let ours = bundle();
    let good = &*ours.certificate_der();
    let verifier = DidVerifier::pinned(ours.did().clone());
    verify(&verifier, good).unwrap();
    for index in 0..good.len() {
        for bit in 0..8 {
            let mut flipped = good.to_vec();
            flipped[index] ^= 1 << bit;
            let error = verify(&verifier, &flipped).expect_err(&format!("byte {index} bit {bit}"));
            assert!(refusal_of(&error).is_some(), "{error:?}");
        }
    }
    for end in 0..good.len() {
        verify(&verifier, &good[..end]).expect_err(&format!("{end} bytes"));
    }
    verify(&verifier, good).unwrap();
}

/// The DID's key has signed which instance it is and which epoch: whatever bit of
/// them is another, in a certificate that is right but for it, is refused for that.
#[test]
fn an_instance_or_epoch_with_any_bit_flipped_is_refused() {
    // As real ones are: an epoch is a time.
    let craft = Craft { sequence: now(), epoch: now(), ..Craft::new() };
    craft.assert_accepted(craft.good(), &anybody());
    let verifier = DidVerifier::pinned(craft.did.clone());
    let signature = craft.binding_signature();
    // Signed by its own key, the thief's or the holder's, as one that was not changed.
    let refused = |changed: Craft| {
        let extension = CustomExtension::from_oid_content(&BINDING, changed.value(&signature));
        let certificate = changed.with(|params| params.custom_extensions = vec![extension]);
        let error = verify(&verifier, &certificate).expect_err("it was accepted");
        assert_eq!(variant(&error), "BindingSignature", "{error}");
    };
    for bit in 0..128 {
        let mut instance = craft.instance;
        instance[bit / 8] ^= 1 << (bit % 8);
        refused(Craft { instance, ..craft.clone() });
    }
    for bit in 0..64 {
        refused(Craft { epoch: craft.epoch ^ 1 << bit, ..craft.clone() });
    }
    // In the certificate as it is, every one of these bits is under two signatures.
    let (good, value) = (craft.good(), craft.value(&signature));
    let at = good.windows(value.len()).position(|part| part == value).unwrap();
    for index in at..at + value.len() {
        for bit in 0..8 {
            let mut flipped = good.clone();
            flipped[index] ^= 1 << bit;
            verify(&verifier, &flipped).expect_err(&format!("byte {index} bit {bit}"));
        }
    }
    verify(&verifier, &good).unwrap();
}

static GOOD: LazyLock<(Did, Vec<u8>)> = LazyLock::new(|| {
    let ours = bundle();
    (ours.did().clone(), ours.certificate_der().to_vec())
});

proptest! {
    /// Parts cut out, put in, moved and overwritten: refused, and no panic.
    #[test]
    fn a_certificate_that_was_edited_is_refused(
        from in 0_usize..660,
        length in 0_usize..80,
        put in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let (did, good) = &*GOOD;
        let verifier = DidVerifier::pinned(did.clone());
        let (from, mut edited) = (from.min(good.len()), good.clone());
        let end = (from + length).min(good.len());
        edited.splice(from..end, put);
        prop_assume!(edited != *good);
        prop_assert!(verify(&verifier, &edited).is_err());
    }

    #[test]
    fn noise_is_no_certificate(noise in prop::collection::vec(any::<u8>(), 0..5000)) {
        prop_assert!(verify(&DidVerifier::deciding(|_| true), &noise).is_err());
    }
}
