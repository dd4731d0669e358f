//! Verifying an attestation against the signature checks alone that are in it.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing)]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use icn_identity::attestation::{
    Anchors, Attestation, Challenge, DeviceCertificates, DeviceClass, Fresh, Verifier,
};
use icn_identity::{Key, Software, Unlocked};
use support::maker::{Maker, NOW};
use support::medians;
use support::ratios::Report;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

fn main() -> ExitCode {
    let mut report = Report::of("attestation");
    let maker = Maker::yubihsm();
    let key = Key::<Software, Unlocked>::from_seed(&[0x42; 32]);
    let leaf = Maker::yubihsm_leaf(&key.verifying_key().to_spki_der()).sign(&maker.device_key);
    let at = UNIX_EPOCH + Duration::from_secs(NOW);
    let challenge =
        Challenge::fresh("treasury@coop.example", Duration::from_secs(600), at).unwrap();
    let certificates = DeviceCertificates::parse(&leaf, &[&maker.device, &maker.sub]).unwrap();
    let made = Attestation::create(&key, &challenge, certificates, at).unwrap();
    let mut anchors = Anchors::none();
    anchors.add(DeviceClass::YubiHsm, &maker.root).unwrap();
    let verifier = Verifier::new(anchors);

    // The same signatures, of what was read before.
    let ders = [&leaf, &maker.device, &maker.sub, &maker.root];
    let read = ders.map(|der| X509Certificate::from_der(der).unwrap().1);
    let message = [0x17_u8; 200];
    let signature = key.sign(&message).unwrap();
    let [ours, bare] = medians::medians_of_processor(
        200,
        5,
        [
            &mut || {
                let fresh = Fresh::To(&challenge);
                black_box(verifier.verify(black_box(&made), fresh, at).unwrap());
            },
            &mut || {
                for pair in read.windows(2) {
                    pair[0].verify_signature(Some(pair[1].public_key())).unwrap();
                }
                key.verifying_key().verify_strict(black_box(&message), &signature).unwrap();
            },
        ],
    );
    report.time("attestation-verify", ours, bare);
    report.end()
}
