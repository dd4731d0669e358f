//! What the tests begin with: a maker, a key in its device, and an attestation that is fine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use support::maker::{Form, Maker, NOW};

use crate::algorithm::{Signature, VerifyingKey};
use crate::attestation::*;
use crate::key::{ExternalSigner, Key, Software, Unlocked};

pub(super) const AUDIENCE: &str = "treasury@coop.example";

pub(super) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

pub(super) fn later(seconds: u64) -> SystemTime {
    now() + Duration::from_secs(seconds)
}

/// Also the key of the device, for what it would sign.
pub(super) fn key() -> Key<Software, Unlocked> {
    Key::from_seed(&[7; 32])
}

pub(super) fn spki() -> Vec<u8> {
    key().verifying_key().to_spki_der()
}

pub(super) fn challenge() -> Challenge {
    Challenge::fresh(AUDIENCE, Duration::from_secs(600), now()).unwrap()
}

/// What the device of a YubiHSM's maker shows, with this certificate of the key.
pub(super) fn shown(maker: &Maker, leaf: &Form) -> Vec<Vec<u8>> {
    vec![leaf.sign(&maker.device_key), maker.device.clone(), maker.sub.clone()]
}

pub(super) fn certificates(maker: &Maker, leaf: &Form) -> DeviceCertificates {
    DeviceCertificates(shown(maker, leaf))
}

pub(super) fn anchors(maker: &Maker, class: DeviceClass) -> Anchors {
    let mut anchors = Anchors::none();
    anchors.add(class, &maker.root).unwrap();
    anchors
}

pub(super) fn verifier(maker: &Maker) -> Verifier {
    Verifier::new(anchors(maker, DeviceClass::YubiHsm))
}

/// What a YubiHSM says of a key with this certificate.
pub(super) fn examined(maker: &Maker, leaf: &Form) -> Result<CertifiedKey, AttestationRefusal> {
    verifier(maker).examine(&certificates(maker, leaf), now())
}

/// One that is fine, and the challenge that it answers.
pub(super) fn attestation(maker: &Maker) -> (Attestation, Challenge) {
    let challenge = challenge();
    let certificates = certificates(maker, &Maker::yubihsm_leaf(&spki()));
    (Attestation::create(&key(), &challenge, certificates, now()).unwrap(), challenge)
}

/// The name of a refusal.
pub(super) fn named<T>(result: Result<T, AttestationRefusal>) -> String {
    match result {
        Ok(_) => "accepted".into(),
        Err(error) => {
            let shown = format!("{error:?}");
            shown.chars().take_while(|letter| letter.is_ascii_alphanumeric()).collect()
        }
    }
}

/// The key of a device that has no Ed25519.
pub(super) struct P256Key(pub(super) p256::ecdsa::SigningKey);

impl ExternalSigner for P256Key {
    fn verifying_key(&self) -> VerifyingKey {
        let point = self.0.verifying_key().to_sec1_point(true);
        VerifyingKey::from_bytes(crate::AlgorithmId::P256, point.as_bytes()).unwrap()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn std::error::Error + Send + Sync>> {
        use p256::ecdsa::signature::Signer as _;
        let signature: p256::ecdsa::Signature = self.0.sign(message);
        let bytes: [u8; 64] = signature.normalize_s().to_bytes().into();
        Ok(Signature::from_bytes(crate::AlgorithmId::P256, bytes))
    }
}
