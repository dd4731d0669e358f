use support::maker::{self, Form, Maker, authority, extension};

use super::made::*;
use crate::attestation::*;
use crate::evidence::ProvenanceKind;

const HSM: &str = "1.3.6.1.4.1.41482.4";

fn leaf() -> Form {
    Maker::yubihsm_leaf(&spki())
}

#[test]
fn each_extension_of_a_yubihsm_has_to_be_there_once_in_its_one_encoding() {
    let maker = Maker::yubihsm();
    assert_eq!(named(examined(&maker, &leaf())), "accepted");
    for number in [1, 2, 3, 4, 5, 6, 9] {
        let oid = format!("{HSM}.{number}");
        let value = leaf().extensions.iter().find(|(id, ..)| *id == oid).unwrap().2.clone();
        let refused = examined(&maker, &leaf().without(&oid)).unwrap_err();
        assert!(
            matches!(&refused, AttestationRefusal::Extension { place: 0, oid: found, problem: ExtensionProblem::Missing } if *found == oid),
            "{refused:?}"
        );
        let twice = leaf().with(extension(&oid, &value));
        assert_eq!(named(examined(&maker, &twice)), "DuplicateExtension");
        // With another tag, length, or something behind it; as a mock of Yubico's writes it.
        let mut tag = value.clone();
        tag[0] ^= 1;
        let mut length = value.clone();
        length[1] += 1;
        let behind = [value.as_slice(), &[0]].concat();
        let wrapped = maker::tlv(0x30, &value);
        for other in [tag, length, behind, wrapped, vec![]] {
            let refused = examined(&maker, &leaf().having(&oid, &other)).unwrap_err();
            assert!(
                matches!(
                    &refused,
                    AttestationRefusal::Extension { problem: ExtensionProblem::Encoding, .. }
                ),
                "{oid}: {refused:?}"
            );
        }
        let mut critical = leaf().without(&oid);
        critical.extensions.push((oid, true, value));
        assert_eq!(named(examined(&maker, &critical)), "CriticalExtension");
    }
}

#[test]
fn a_key_that_can_leave_or_has_an_unknown_capability_or_origin_is_refused() {
    let maker = Maker::yubihsm();
    let with = |number: u8, value: &[u8]| {
        named(examined(&maker, &leaf().having(&format!("{HSM}.{number}"), value)))
    };
    assert_eq!(with(5, &[3, 9, 0, 0, 0, 0, 0, 0, 1, 0, 0x80]), "Exportable");
    assert_eq!(with(5, &[3, 9, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x80]), "Capabilities");
    assert_eq!(with(3, &[3, 2, 0, 0]), "Origin");
    assert_eq!(with(3, &[3, 2, 0, 0x21]), "Origin");
    assert_eq!(with(3, &[3, 2, 0, 2]), "accepted");
}

#[test]
fn the_certificates_of_key_and_device_are_of_one_device() {
    let maker = Maker::yubihsm();
    let serial = format!("{HSM}.2");
    let other = leaf().having(&serial, &[2, 4, 1, 0xe2, 0xf2, 0x78]);
    assert_eq!(named(examined(&maker, &other)), "OtherDevice");
    // A device that says to be newer than its maker does.
    let newer = leaf().having(&format!("{HSM}.1"), &[4, 3, 2, 4, 1]);
    assert_eq!(named(examined(&maker, &newer)), "OtherDevice");
    // Whoever issued it has to be a device: a sub-authority has no serial number.
    let mut under_sub = leaf();
    under_sub.issuer = "Sub".into();
    let shown = vec![under_sub.sign(&maker.sub_key), maker.sub.clone()];
    let found = verifier(&maker).examine(&DeviceCertificates(shown), now());
    assert_eq!(named(found), "Extension");
    // A YubiKey's f9 has its serial number or has it not; if it has, it is compared.
    let yubikey = Maker::yubikey();
    let with_serial = |value: &[u8]| {
        let device = Form::new("Device", "Sub", yubikey.device_key.spki())
            .with(authority(Some(0)))
            .with(extension("1.3.6.1.4.1.41482.3.3", &[5, 7, 1]))
            .with(extension("1.3.6.1.4.1.41482.3.7", value))
            .sign(&yubikey.sub_key);
        let leaf = Maker::yubikey_leaf(&spki()).sign(&yubikey.device_key);
        let shown = DeviceCertificates(vec![leaf, device, yubikey.sub.clone()]);
        let verifier = Verifier::new(anchors(&yubikey, DeviceClass::YubiKeyPiv));
        named(verifier.examine(&shown, now()))
    };
    assert_eq!(with_serial(&[2, 4, 0, 0xf0, 0x0f, 0x14]), "accepted");
    assert_eq!(with_serial(&[2, 4, 0, 0xf0, 0x0f, 0x15]), "OtherDevice");
}

/// Whoever took the key of an old device writes what he likes into the key's certificate, and the
/// floor must not be his word. Nor does any other authority under the maker's root issue.
#[test]
fn the_firmware_has_to_be_in_the_certificate_of_the_device_too() {
    let hsm = Maker::yubihsm();
    let issued_by = |maker: &Maker, class, leaf: Form, extensions: &[maker::Extension]| {
        let mut device =
            Form::new("Device", "Sub", maker.device_key.spki()).with(authority(Some(0)));
        device.extensions.extend_from_slice(extensions);
        let shown = [leaf.sign(&maker.device_key), device.sign(&maker.sub_key), maker.sub.clone()];
        let verifier = Verifier::new(anchors(maker, class));
        verifier.examine(&DeviceCertificates(shown.to_vec()), now())
    };
    let missing = |found: Result<CertifiedKey, AttestationRefusal>, expected: &str| {
        let refused = found.unwrap_err();
        assert!(
            matches!(&refused, AttestationRefusal::Extension { place: 1, oid, problem: ExtensionProblem::Missing } if oid == expected),
            "{refused:?}"
        );
    };
    let serial = extension(&format!("{HSM}.2"), &[2, 4, 1, 0xe2, 0xf2, 0x79]);
    let firmware = |numbers: &[u8]| extension(&format!("{HSM}.1"), &[&[4, 3], numbers].concat());
    let with = |all: &[maker::Extension]| issued_by(&hsm, DeviceClass::YubiHsm, leaf(), all);
    assert_eq!(named(with(&[serial.clone(), firmware(&[2, 4, 0])])), "accepted");
    assert_eq!(named(with(&[serial.clone(), firmware(&[2, 3, 0])])), "OtherDevice");
    missing(with(&[serial]), &format!("{HSM}.1"));
    let key = Maker::yubikey();
    let piv_leaf = || Maker::yubikey_leaf(&spki());
    let piv = |all: &[maker::Extension]| issued_by(&key, DeviceClass::YubiKeyPiv, piv_leaf(), all);
    let firmware = "1.3.6.1.4.1.41482.3.3";
    assert_eq!(named(piv(&[extension(firmware, &[5, 7, 1])])), "accepted");
    assert_eq!(named(piv(&[extension(firmware, &[5, 4, 3])])), "OtherDevice");
    missing(piv(&[]), firmware);
    // By a YubiHSM, under a root that is believed for both; and by the sub-authority itself.
    missing(piv(&[extension(&format!("{HSM}.1"), &[4, 3, 2, 4, 0])]), firmware);
    let mut by_sub = piv_leaf();
    by_sub.issuer = "Sub".into();
    let shown = DeviceCertificates(vec![by_sub.sign(&key.sub_key), key.sub.clone()]);
    let verifier = Verifier::new(anchors(&key, DeviceClass::YubiKeyPiv));
    missing(verifier.examine(&shown, now()), firmware);
}

#[test]
fn firmware_with_a_known_fault_is_refused_unless_it_is_asked_for() {
    let firmware = |text: &str| text.parse::<Firmware>().unwrap();
    let piv = |major: u8, minor: u8, patch: u8, floor: Option<Firmware>| {
        let maker = Maker::yubikey();
        let numbers = [major, minor, patch];
        let oid = "1.3.6.1.4.1.41482.3.3";
        let device = Form::new("Device", "Sub", maker.device_key.spki())
            .with(authority(Some(0)))
            .with(extension(oid, &numbers))
            .sign(&maker.sub_key);
        let leaf = Maker::yubikey_leaf(&spki()).having(oid, &numbers).sign(&maker.device_key);
        let mut verifier = Verifier::new(anchors(&maker, DeviceClass::YubiKeyPiv));
        if let Some(floor) = floor {
            verifier = verifier.firmware_at_least(DeviceClass::YubiKeyPiv, floor);
        }
        let shown = DeviceCertificates(vec![leaf, device, maker.sub.clone()]);
        named(verifier.examine(&shown, now()))
    };
    assert_eq!(piv(5, 7, 0, None), "accepted");
    assert_eq!(piv(5, 6, 255, None), "Firmware");
    assert_eq!(piv(5, 4, 3, Some(firmware("5.4.3"))), "accepted");
    assert_eq!(piv(5, 7, 1, Some(firmware("5.7.2"))), "Firmware");
    // Of one class it says nothing of another.
    let maker = Maker::yubihsm();
    let certificates = certificates(&maker, &leaf());
    let verifier = verifier(&maker);
    let other = verifier.clone().firmware_at_least(DeviceClass::YubiKeyPiv, firmware("9.0.0"));
    assert_eq!(named(other.examine(&certificates, now())), "accepted");
    let own = verifier.firmware_at_least(DeviceClass::YubiHsm, firmware("2.4.1"));
    assert_eq!(named(own.examine(&certificates, now())), "Firmware");
    for text in ["2.4", "2.4.0.0", "2.04.0", "+2.4.0", "2.4.65536", "", "2.4.a"] {
        assert!(text.parse::<Firmware>().is_err(), "{text}");
    }
}

#[test]
fn another_certificate_than_an_attestation_is_called_that() {
    let maker = Maker::yubihsm();
    let plain = Form::new("Key", "Device", spki());
    assert_eq!(named(examined(&maker, &plain)), "NotAnAttestation");
    let both = leaf().with(extension("1.3.6.1.4.1.41482.3.7", &[2, 1, 1]));
    assert_eq!(named(examined(&maker, &both)), "TwoClasses");
    // Yubico's arc itself, and one that only begins like it.
    for oid in ["1.3.6.1.4.1.41482.4", "1.3.6.1.4.1.41482.40.1"] {
        let near = Form::new("Key", "Device", spki()).with(extension(oid, &[5, 0]));
        assert_eq!(named(examined(&maker, &near)), "NotAnAttestation", "{oid}");
    }
    // A key that no DID has.
    let rsa = Maker::yubihsm_leaf(&maker::rsa_spki(2048));
    assert_eq!(named(examined(&maker, &rsa)), "Key");
}

#[test]
fn an_ended_certificate_of_the_key_is_forgiven_on_request_and_the_verdict_says_so() {
    let maker = Maker::yubihsm();
    let mut ended = leaf();
    ended.until = "20260101000000Z".into();
    let certificates = certificates(&maker, &ended);
    assert_eq!(named(verifier(&maker).examine(&certificates, now())), "Expired");
    let found = verifier(&maker).allow_expired().examine(&certificates, now()).unwrap();
    assert!(found.certificate_has_expired());
    assert_eq!(found.provenance(), ProvenanceKind::Hardware);
    // Not one that has not begun.
    let mut early = leaf();
    early.from = "20270101000000Z".into();
    let certificates = super::made::certificates(&maker, &early);
    assert_eq!(
        named(verifier(&maker).allow_expired().examine(&certificates, now())),
        "NotYetValid"
    );
    // Nor that of an issuer.
    let mut device = Form::new("Device", "Sub", maker.device_key.spki()).with(authority(Some(0)));
    device.until = "20260101000000Z".into();
    let device = device.with(extension("1.3.6.1.4.1.41482.4.2", &[2, 4, 1, 0xe2, 0xf2, 0x79]));
    let shown =
        vec![leaf().sign(&maker.device_key), device.sign(&maker.sub_key), maker.sub.clone()];
    let found = verifier(&maker).allow_expired().examine(&DeviceCertificates(shown), now());
    assert_eq!(named(found), "Expired");
}
