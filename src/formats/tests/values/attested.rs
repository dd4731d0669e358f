//! Attestations, by a maker of the test's own.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use support::maker::{Maker, NOW};

use super::Bytes;
use super::made::{self, KEYS};
use crate::attestation::tests::soft_tpm::Tpm;
use crate::attestation::{Attestation, Challenge, DeviceCertificates, MAX_AGE};

static MAKER: LazyLock<Maker> = LazyLock::new(Maker::yubihsm);

fn at() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn made_challenge() -> BoxedStrategy<Challenge> {
    ("[a-zé]{1,20}@[a-z.]{1,20}", 1..=MAX_AGE.as_secs())
        .prop_map(|(audience, seconds)| {
            Challenge::fresh(&audience, Duration::from_secs(seconds), at()).unwrap()
        })
        .boxed()
}

/// The certificate of a key, and as many of its issuers.
fn shown(key: usize, issuers: usize) -> Vec<Vec<u8>> {
    let leaf = Maker::yubihsm_leaf(&KEYS[key].verifying_key().to_spki_der());
    let all = [leaf.sign(&MAKER.device_key), MAKER.device.clone(), MAKER.sub.clone()];
    all[..=issuers].to_vec()
}

pub(super) fn challenge() -> Bytes {
    made_challenge().prop_map(|challenge| challenge.to_json().into_bytes()).boxed()
}

pub(super) fn attestation() -> Bytes {
    (made_challenge(), made::signer(), 0..3_usize)
        .prop_map(|(challenge, key, issuers)| {
            let shown = shown(key, issuers);
            let issuers: Vec<&[u8]> = shown[1..].iter().map(Vec::as_slice).collect();
            let certificates = DeviceCertificates::parse(&shown[0], &issuers).unwrap();
            let made = Attestation::create(&*KEYS[key], &challenge, certificates, at());
            made.unwrap().to_json().into_bytes()
        })
        .boxed()
}

pub(super) fn certificate() -> Bytes {
    (made::signer(), 0..3_usize).prop_map(|(key, place)| shown(key, 2)[place].clone()).boxed()
}

pub(super) fn chain() -> Bytes {
    (made::signer(), 0..3_usize).prop_map(|(key, issuers)| shown(key, issuers).concat()).boxed()
}

/// What a TPM's attestation and its activation are made of.
pub(super) fn of_a_tpm(name: &str) -> Bytes {
    let name = name.to_owned();
    any::<[u8; 32]>().prop_map(move |seed| Tpm::new().sample(&name, &seed)).boxed()
}
