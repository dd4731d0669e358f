//! Certificates of real devices, which are not ours to commit: run by scripts/test-attestation,
//! over a folder that has to be there.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::made::named;
use crate::algorithm::VerifyingKey;
use crate::attestation::certificate::Certificate;
use crate::attestation::chain::Chain;
use crate::attestation::*;
use crate::encoding::hex;
use crate::evidence::ProvenanceKind;

/// 2026-11-29.
const AT: i64 = 1_795_910_400;

fn at() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(support::maker::NOW)
}

fn read(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("ATTESTATION_DATA").expect("the folder of real data");
    let path = PathBuf::from(folder).join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `NAME.0.der` and so on, these of them.
fn ders(name: &str, places: &[usize]) -> Vec<Vec<u8>> {
    places.iter().map(|place| read(&format!("{name}.{place}.der"))).collect()
}

fn examined(verifier: &Verifier, shown: Vec<Vec<u8>>) -> Result<CertifiedKey, AttestationRefusal> {
    verifier.examine(&DeviceCertificates(shown), at())
}

#[test]
fn a_real_yubihsm_2_vouches_for_its_key() {
    let verifier = Verifier::new(Anchors::yubico());
    // The sub-authority is one that is known, and may be shown as well.
    for places in [&[0, 1][..], &[0, 1, 2], &[0, 1, 2, 3]] {
        let found = examined(&verifier, ders("yubihsm2-fw240", places)).unwrap();
        assert_eq!(found.provenance(), ProvenanceKind::Hardware);
        let device = "Yubico YubiHSM 2, serial 31650425, firmware 2.4.0";
        assert_eq!(found.device().to_string(), device);
        let leaf = ders("yubihsm2-fw240", &[0]);
        let spki = Certificate::read(&leaf[0], 0).unwrap().spki().to_vec();
        assert_eq!(*found.verifying_key(), VerifyingKey::from_spki_der(&spki).unwrap());
    }
    let floor = Firmware::new(2, 4, 1);
    let demanding = verifier.firmware_at_least(DeviceClass::YubiHsm, floor);
    assert_eq!(named(examined(&demanding, ders("yubihsm2-fw240", &[0, 1]))), "Firmware");
    let piv = {
        let mut anchors = Anchors::none();
        anchors.add(DeviceClass::YubiKeyPiv, &read("yubihsm2-fw240.3.der")).unwrap();
        Verifier::new(anchors)
    };
    assert_eq!(named(examined(&piv, ders("yubihsm2-fw240", &[0, 1, 2]))), "OtherClass");
}

#[test]
fn a_real_yubikey_vouches_for_its_key_where_its_firmware_is_accepted() {
    let shown = || ders("yubikey-piv-good", &[0, 1]);
    let verifier = Verifier::new(Anchors::yubico());
    // 5.4.3 has the fault of YSA-2024-03.
    assert_eq!(named(examined(&verifier, shown())), "Firmware");
    let floor = Firmware::new(5, 4, 3);
    let verifier = verifier.firmware_at_least(DeviceClass::YubiKeyPiv, floor);
    let found = examined(&verifier, shown()).unwrap();
    assert_eq!(found.provenance(), ProvenanceKind::Hardware);
    assert_eq!(found.device().serial(), Some(15_732_500));
}

/// Its f9 is no authority, and under the root of another application.
#[test]
fn the_yubikeys_of_2018_whose_issuer_is_no_authority_are_refused() {
    let mut anchors = Anchors::yubico();
    anchors.add(DeviceClass::YubiKeyPiv, &read("yubikey-piv-2018-u2froot.2.der")).unwrap();
    let floor = Firmware::new(4, 0, 0);
    let verifier = Verifier::new(anchors).firmware_at_least(DeviceClass::YubiKeyPiv, floor);
    let found = examined(&verifier, ders("yubikey-piv-2018-u2froot", &[0, 1]));
    assert_eq!(named(found), "NoAuthority");
}

/// The way of any certificates, whatever they are of, to the last of `all`.
fn way(all: &[Vec<u8>], at: i64) -> String {
    let (root, shown) = all.split_last().unwrap();
    let mut anchors = Anchors::none();
    anchors.add(DeviceClass::YubiHsm, root).unwrap();
    named(Chain::build(shown, &anchors, DeviceClass::YubiHsm, at, false))
}

#[test]
fn real_chains_of_other_makers_are_followed_or_refused_by_name() {
    let of = |name, places: &[usize]| way(&ders(name, places), AT);
    assert_eq!(of("ek-st33-p256", &[0, 1, 2]), "accepted");
    assert_eq!(of("aik-ms-ntc-npct75x-p256", &[0, 1, 2]), "accepted");
    assert_eq!(of("gce-pca-ecc_sign", &[0, 1, 2]), "accepted");
    // 431 bytes of 0xff behind it, which whoever reads the TPM cuts off.
    let mut padded = ders("ek-st33-rsa-ffpadded", &[0, 1]);
    assert_eq!(way(&padded, AT), "TrailingBytes");
    padded[0].truncate(1600 - 431);
    assert_eq!(way(&padded, AT), "accepted");
    // It has ended, too, and was no better before.
    let zp24 = ders("ek-st33zp24-oaep-sha1", &[0, 1, 2, 3]);
    assert_eq!([AT, 1_600_000_000].map(|at| way(&zp24, at)), ["Sha1"; 2]);
    let azure = ders("azure-akcert", &[0]);
    let none = Anchors::none();
    let built = Chain::build(&azure, &none, DeviceClass::YubiHsm, AT, false);
    let refused = built.unwrap_err();
    assert!(matches!(&refused, AttestationRefusal::NoIssuer { place: 0, .. }), "{refused:?}");
    // And none of them is taken for an attestation of a Yubico device.
    let verifier = Verifier::new(Anchors::yubico());
    for name in ["ek-st33-p256", "aik-ms-ntc-npct75x-p256", "gce-pca-ecc_sign", "azure-akcert"] {
        assert_eq!(named(examined(&verifier, ders(name, &[0]))), "NotAnAttestation", "{name}");
    }
}

/// What is not DER is read or refused by name; a certificate that was encoded anew is not what
/// its maker signed.
#[test]
fn real_defects_are_read_or_refused_by_name() {
    for (name, expected) in [
        ("ek-secassert-nvheader.raw", "Malformed"),
        ("ek-st33zp24-nvheader.raw", "Malformed"),
        ("ek-st33-rsa-ffpadded.0.der", "TrailingBytes"),
        ("root-nuvoton-2110-setorder.0.der", "accepted"),
        ("synth-critical-false-explicit.0.der", "accepted"),
        ("synth-serial-21bytes.0.der", "accepted"),
        ("synth-serial-leading-zeros.0.der", "accepted"),
    ] {
        let bytes = read(name);
        assert_eq!(named(Certificate::read(&bytes, 0)), expected, "{name}");
        if name.starts_with("synth") {
            let all = [vec![bytes], ders("ek-st33-p256", &[1, 2])].concat();
            assert_eq!(way(&all, AT), "Signature", "{name}");
        }
    }
}

#[test]
fn no_byte_of_a_real_certificate_can_be_changed() {
    let floor = Firmware::new(5, 4, 3);
    let verifier = Verifier::new(Anchors::yubico());
    let verifier = verifier.firmware_at_least(DeviceClass::YubiKeyPiv, floor);
    let mut changes = 0;
    for (name, places) in [("yubihsm2-fw240", &[0, 1, 2][..]), ("yubikey-piv-good", &[0, 1])] {
        let good = ders(name, places);
        assert!(examined(&verifier, good.clone()).is_ok());
        for place in 0..good.len() {
            for byte in 0..good[place].len() {
                let mut changed = good.clone();
                changed[place][byte] ^= 1 << (byte % 8);
                let found = examined(&verifier, changed);
                assert!(found.is_err(), "{name}.{place}, byte {byte}");
                changes += 1;
            }
        }
    }
    assert!(changes > 3000, "{changes}");
}

/// As they come out of NV, and what they say they are for.
#[test]
fn real_endorsement_certificates_are_found_in_nv_and_those_of_signing_keys_are_none() {
    let kinds = [
        ("ek-st33-p256.0.der", EkKind::P256, 775),
        ("ek-st33-rsa-ffpadded.0.der", EkKind::Rsa, 1600 - 431),
        ("ek-st33zp24-nvheader.raw", EkKind::Rsa, 1122),
    ];
    for (name, kind, length) in kinds {
        let found = EkCertificate::from_nv(&read(name)).unwrap();
        assert_eq!((found.kind(), found.der().len()), (kind, length), "{name}");
    }
    let st33 = EkCertificate::from_nv(&read("ek-st33-p256.0.der")).unwrap();
    assert_eq!(st33.model().unwrap().manufacturer(), "STM");
    assert!(EkCertificate::from_nv(&read("ek-secassert-nvheader.raw")).is_ok());
}

/// A `TPM2_Certify` of a Nuvoton TPM: each structure is read, its Name is that which is certified, and
/// its signature is refused for SHA-1.
#[test]
fn a_real_statement_is_read_and_refused_for_sha1() {
    let file = |part: &str| read(&format!("aik-ms-ntc-npct75x-p256.{part}"));
    let (public, statement) = (file("pubArea"), file("certInfo"));
    let key = tpm::Public::read(&public, TpmField::PubArea).unwrap();
    assert_eq!(key.to_bytes(), public);
    let attest = tpm::Attest::read(&statement, TpmField::CertInfo).unwrap();
    assert_eq!(attest.to_bytes(), statement);
    let certified = attest.check_certifies(&key.name(), TpmField::CertInfo);
    assert!(certified.is_ok(), "{certified:?}");
    // RSASSA with SHA-1, as that TPM signs.
    let signature = [&[0, 0x14, 0, 4, 1, 0][..], &file("sig")].concat();
    let refused = tpm::Signature::read(&signature, TpmField::Sig).unwrap_err();
    assert!(matches!(refused, TpmRefusal::Sha1 { .. }), "{refused:?}");
}

/// By a TPM of Azure's, which is a virtual one and signs with RSA: the state that it states is that of
/// the values that were read beside it.
#[test]
fn a_real_quote_is_of_the_registers_and_values_that_were_read_beside_it() {
    let file = |part: &str| read(&format!("azure-vtpm-quote/{part}"));
    let message = file("quote.msg");
    let attest = tpm::Attest::read(&message, TpmField::Quoted).unwrap();
    assert_eq!(attest.to_bytes(), message);
    let nonce = hex::decode(String::from_utf8(file("nonce.hex")).unwrap().trim()).unwrap();
    assert!(message.windows(34).any(|window| window == [&[0, 32][..], &nonce].concat()));
    let (quoted, sig) = (bytes::Der(message), bytes::Der(Vec::new()));
    let stated = tpm::read_quote(&evidence::Quote { quoted, sig }).unwrap();
    assert_eq!(stated.to_string(), "0,1,2,3,4,5,6,7");
    // As tpm2-tools keeps them: a selection, then eight values of 32 of 64 bytes, each with its length.
    let values = file("pcrs.bin");
    let values: Vec<String> =
        values[140..].chunks(66).map(|value| hex::encode(&value[2..34])).collect();
    let printed = |values: &[String]| {
        let lines = values.iter().zip(0..).map(|(value, index)| format!("  {index} : 0x{value}\n"));
        PcrState::parse(&format!("sha256:\n{}", lines.collect::<String>())).unwrap()
    };
    assert!(printed(&values).check(Some(&stated)).is_ok(), "{stated:?}");
    assert_eq!(printed(&values), stated);
    let fewer = printed(&values[..7]).check(Some(&stated));
    assert!(matches!(fewer, Err(TpmRefusal::PcrSelection { .. })), "{fewer:?}");
    let mut moved = values;
    moved.swap(0, 1);
    let moved = printed(&moved).check(Some(&stated));
    assert!(matches!(moved, Err(TpmRefusal::PcrDigest { .. })), "{moved:?}");
    let signature = [&[0, 0x14, 0, 0x0b, 1, 0][..], &file("quote.sig")].concat();
    let refused = tpm::Signature::read(&signature, TpmField::QuoteSig).unwrap_err();
    assert!(matches!(refused, TpmRefusal::Algorithm { .. }), "{refused:?}");
}
