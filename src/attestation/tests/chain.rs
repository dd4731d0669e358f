use support::maker::{
    self, Extension, Form, Maker, Signer, authority, extension, key_usage, rsa_spki, spki as curve,
};

use super::made::*;
use crate::attestation::*;

fn examine(maker: &Maker, shown: Vec<Vec<u8>>) -> String {
    named(verifier(maker).examine(&DeviceCertificates(shown), now()))
}

fn leaf(maker: &Maker) -> Vec<u8> {
    Maker::yubihsm_leaf(&spki()).sign(&maker.device_key)
}

fn device(maker: &Maker, extensions: &[Extension]) -> Form {
    let mut device = Form::new("Device", "Sub", maker.device_key.spki())
        .with(extension("1.3.6.1.4.1.41482.4.2", &[2, 4, 1, 0xe2, 0xf2, 0x79]));
    device.extensions.extend_from_slice(extensions);
    device
}

/// The way with this certificate of the device.
fn by(maker: &Maker, extensions: &[Extension]) -> String {
    let device = device(maker, extensions).sign(&maker.sub_key);
    examine(maker, vec![leaf(maker), device, maker.sub.clone()])
}

#[test]
fn a_missing_ca_bit_is_never_forgiven() {
    let maker = Maker::yubihsm();
    assert_eq!(by(&maker, &[authority(Some(0))]), "accepted");
    assert_eq!(by(&maker, &[authority(None)]), "accepted");
    assert_eq!(by(&maker, &[]), "NoAuthority");
    // basicConstraints without it, and with an explicit FALSE.
    for value in [&[0x30, 0][..], &[0x30, 3, 1, 1, 0]] {
        assert_eq!(by(&maker, &[("2.5.29.19".into(), true, value.to_vec())]), "NoAuthority");
    }
    assert_eq!(by(&maker, &[authority(Some(0)), key_usage(0x80)]), "KeyUsage");
    assert_eq!(by(&maker, &[authority(Some(0)), key_usage(0x84)]), "accepted");
}

/// What somebody with a genuine device of their own can do: have their attested key sign.
#[test]
fn an_attested_key_of_a_user_issues_no_attestations() {
    let maker = Maker::yubihsm();
    let user = Signer::p256();
    let genuine = Maker::yubihsm_leaf(&user.spki());
    let issued = genuine.sign(&maker.device_key);
    let mut forged = Maker::yubihsm_leaf(&spki());
    forged.issuer = genuine.subject.clone();
    let forged = forged.sign(&user);
    let shown = vec![forged.clone(), issued, maker.device.clone(), maker.sub.clone()];
    assert_eq!(examine(&maker, shown), "NoAuthority");
    // With a certificate that he makes himself, all of it is his.
    let own = Form::new(&genuine.subject, "Sub", user.spki()).with(authority(Some(0)));
    assert_eq!(examine(&maker, vec![forged, own.sign(&user), maker.sub.clone()]), "Signature");
}

#[test]
fn the_path_length_of_each_authority_holds() {
    let maker = Maker::yubihsm();
    // Root 2, sub 1, device 0: one more in between is one too many for the sub-authority.
    let between_key = Signer::p256();
    let between = Form::new("Between", "Sub", between_key.spki()).with(authority(None));
    let mut device = device(&maker, &[authority(Some(0))]);
    device.issuer = "Between".into();
    let shown = vec![
        leaf(&maker),
        device.sign(&between_key),
        between.sign(&maker.sub_key),
        maker.sub.clone(),
    ];
    assert_eq!(examine(&maker, shown), "PathLength");
}

/// As many as are followed, and one more: each authority allows any number.
#[test]
fn six_certificates_are_followed_and_seven_are_not() {
    let way = |between: usize| {
        let maker = Maker::yubihsm();
        let names: Vec<String> = (0..between).map(|at| format!("Authority {at}")).collect();
        let keys: Vec<Signer> = names.iter().map(|_| Signer::p256()).collect();
        let root_key = Signer::p256();
        let root = Form::new("Own root", "Own root", root_key.spki()).with(authority(None));
        let mut anchors = Anchors::none();
        anchors.add(DeviceClass::YubiHsm, &root.sign(&root_key)).unwrap();
        let mut shown = vec![leaf(&maker)];
        let mut device = device(&maker, &[authority(None)]);
        device.issuer = names.first().map_or("Own root".into(), Clone::clone);
        shown.push(device.sign(keys.first().unwrap_or(&root_key)));
        for at in 0..between {
            let issuer = names.get(at + 1).map_or("Own root", String::as_str);
            let form = Form::new(&names[at], issuer, keys[at].spki()).with(authority(None));
            shown.push(form.sign(keys.get(at + 1).unwrap_or(&root_key)));
        }
        let found = Verifier::new(anchors).examine(&DeviceCertificates(shown), now());
        named(found)
    };
    assert_eq!([0, 1, 3].map(way), ["accepted"; 3]);
    assert_eq!([4, 5].map(way), ["TooManyCertificates"; 2]);
}

#[test]
fn the_root_of_one_class_vouches_for_nothing_of_another() {
    let maker = Maker::yubihsm();
    let shown = certificates(&maker, &Maker::yubihsm_leaf(&spki()));
    let verifier = Verifier::new(anchors(&maker, DeviceClass::YubiKeyPiv));
    let refused = verifier.examine(&shown, now()).unwrap_err();
    assert!(
        matches!(
            &refused,
            AttestationRefusal::OtherClass {
                expected: DeviceClass::YubiHsm,
                found: DeviceClass::YubiKeyPiv,
                ..
            }
        ),
        "{refused:?}"
    );
    // An unknown root is named, so that its file can be found.
    let refused = Verifier::new(Anchors::none()).examine(&shown, now()).unwrap_err();
    assert_eq!(refused.to_string(), "the issuer of certificate 2 is not known: CN=Root");
    assert_eq!(named(Verifier::new(Anchors::yubico()).examine(&shown, now())), "NoIssuer");
}

#[test]
fn what_is_shown_is_the_way_in_its_order_and_nothing_else() {
    let maker = Maker::yubihsm();
    let (leaf, device, sub) = (leaf(&maker), maker.device.clone(), maker.sub.clone());
    let root = maker.root.clone();
    let all = [leaf, device, sub, root].map(Some).map(Option::unwrap);
    let show = |places: &[usize]| {
        examine(&maker, places.iter().map(|place| all[*place].clone()).collect())
    };
    assert_eq!(show(&[0, 1, 2]), "accepted");
    assert_eq!(show(&[0, 1, 2, 3]), "accepted");
    assert_eq!(show(&[0, 2, 1]), "NoIssuer");
    assert_eq!(show(&[0, 1]), "NoIssuer");
    assert_eq!(show(&[0]), "NoIssuer");
    assert_eq!(show(&[0, 1, 2, 3, 1]), "NotUsed");
    assert_eq!(show(&[0, 1, 2, 0]), "NotUsed");
    assert_eq!(show(&[1, 2]), "NotAnAttestation".replace("NotAnAttestation", "Authority"));
    assert_eq!(show(&[]), "Malformed");
    // An intermediate that the relying party knows need not be shown; it is believed no more
    // for that.
    let mut anchors = anchors(&maker, DeviceClass::YubiHsm);
    anchors.add_intermediate(DeviceClass::YubiHsm, &maker.sub).unwrap();
    let two = DeviceCertificates(all[..2].to_vec());
    assert_eq!(named(Verifier::new(anchors).examine(&two, now())), "accepted");
    let mut no_root = Anchors::none();
    no_root.add_intermediate(DeviceClass::YubiHsm, &maker.sub).unwrap();
    assert_eq!(named(Verifier::new(no_root).examine(&two, now())), "NoIssuer");
}

/// Two authorities of one name are told apart by their keys.
#[test]
fn of_two_authorities_with_one_name_the_one_that_signed_is_found() {
    let (maker, other) = (Maker::yubihsm(), Maker::yubihsm());
    let shown = certificates(&maker, &Maker::yubihsm_leaf(&spki()));
    let mut both = anchors(&other, DeviceClass::YubiHsm);
    assert_eq!(named(Verifier::new(both.clone()).examine(&shown, now())), "Signature");
    both.add(DeviceClass::YubiHsm, &maker.root).unwrap();
    assert_eq!(named(Verifier::new(both).examine(&shown, now())), "accepted");
    // One that another root has certified, beside a root of its name.
    let own = Signer::p256();
    let root = Form::new("Own root", "Own root", own.spki()).with(authority(None)).sign(&own);
    let cross = Form::new("Root", "Own root", maker.root_key.spki()).with(authority(None));
    let mut beside = anchors(&other, DeviceClass::YubiHsm);
    beside.add(DeviceClass::YubiHsm, &root).unwrap();
    let shown = DeviceCertificates([shown.0, vec![cross.sign(&own)]].concat());
    assert_eq!(named(Verifier::new(beside).examine(&shown, now())), "accepted");
}

#[test]
fn sha1_short_rsa_p521_and_other_algorithms_are_refused_by_name() {
    let maker = Maker::yubihsm();
    let signed_with = |algorithm| {
        let mut leaf = Maker::yubihsm_leaf(&spki());
        leaf.algorithm = Some(algorithm);
        named(examined(&maker, &leaf))
    };
    assert_eq!(signed_with(maker::RSA_SHA1), "Sha1");
    assert_eq!(signed_with("1.3.14.3.2.29"), "Sha1");
    assert_eq!(signed_with("1.2.840.10045.4.1"), "Sha1");
    for other in
        ["1.2.840.113549.1.1.4", "1.2.840.10045.4.3.4", "1.3.101.112", "1.2.840.113549.1.1.10"]
    {
        assert_eq!(signed_with(other), "Algorithm", "{other}");
    }
    let issued_by = |key: Vec<u8>| {
        let mut device = device(&maker, &[authority(Some(0))]);
        device.spki = key;
        examine(&maker, vec![leaf(&maker), device.sign(&maker.sub_key), maker.sub.clone()])
    };
    assert_eq!(issued_by(rsa_spki(1024)), "ShortRsa");
    assert_eq!(issued_by(rsa_spki(2040)), "ShortRsa");
    assert_eq!(issued_by(rsa_spki(2048)), "Signature");
    assert_eq!(issued_by(curve("1.3.132.0.35", &[4; 133])), "P521");
    assert_eq!(issued_by(curve("1.3.132.0.10", &[4; 65])), "Algorithm");
    assert_eq!(issued_by(spki()), "Algorithm", "Ed25519");
}

#[test]
fn an_unknown_critical_extension_is_refused_wherever_it_stands() {
    let maker = Maker::yubihsm();
    let critical = ("1.2.3.4".to_owned(), true, vec![5, 0]);
    let known = ("2.5.29.32".to_owned(), true, vec![0x30, 6, 0x30, 4, 6, 2, 0x2a, 3]);
    let leaf = |more: &Extension| Maker::yubihsm_leaf(&spki()).with(more.clone());
    assert_eq!(named(examined(&maker, &leaf(&critical))), "CriticalExtension");
    assert_eq!(named(examined(&maker, &leaf(&known))), "accepted");
    assert_eq!(by(&maker, &[authority(Some(0)), critical]), "CriticalExtension");
    assert_eq!(by(&maker, &[authority(Some(0)), known]), "accepted");
}

#[test]
fn a_certificate_is_one_of_version_3_with_one_algorithm_and_nothing_behind_it() {
    let maker = Maker::yubihsm();
    let mut old = Maker::yubihsm_leaf(&spki());
    old.version = 1;
    assert_eq!(named(examined(&maker, &old)), "Version");
    let mut two = Maker::yubihsm_leaf(&spki());
    two.outer_algorithm = Some(maker::ECDSA_SHA384);
    assert_eq!(named(examined(&maker, &two)), "TwoAlgorithms");
    let behind = [leaf(&maker), vec![0]].concat();
    let rest = [maker.device.clone(), maker.sub.clone()];
    let show = |leaf: Vec<u8>| examine(&maker, [vec![leaf], rest.to_vec()].concat());
    assert_eq!(show(behind), "TrailingBytes");
    assert_eq!(show(vec![0x30; 9000]), "TooLarge");
    let mut bad = Maker::yubihsm_leaf(&spki());
    bad.extensions.push(("2.5.29.15".into(), false, vec![1]));
    assert_eq!(named(examined(&maker, &bad)), "MalformedExtension");
}

#[test]
fn an_anchor_is_one_of_an_authority_and_can_be_read() {
    let maker = Maker::yubihsm();
    let mut anchors = Anchors::none();
    let leaf = leaf(&maker);
    for refused in [&leaf[..], b"", b"text", &maker.root[..100]] {
        assert!(anchors.add(DeviceClass::YubiHsm, refused).is_err());
    }
    let pem = maker::pem(&maker.root) + &maker::pem(&leaf);
    assert!(anchors.add(DeviceClass::YubiHsm, pem.as_bytes()).is_err());
    let shown = certificates(&maker, &Maker::yubihsm_leaf(&spki()));
    assert_eq!(named(Verifier::new(anchors.clone()).examine(&shown, now())), "NoIssuer");
    anchors.add(DeviceClass::YubiHsm, maker::pem(&maker.root).as_bytes()).unwrap();
    assert_eq!(named(Verifier::new(anchors).examine(&shown, now())), "accepted");
}

/// Whatever is changed in what a device shows, below the DID's signature too.
#[test]
fn no_byte_of_a_certificate_can_be_changed_and_none_be_left_out() {
    let maker = Maker::yubihsm();
    let shown = shown(&maker, &Maker::yubihsm_leaf(&spki()));
    for place in 0..shown.len() {
        for at in 0..shown[place].len() {
            let mut changed = shown.clone();
            changed[place][at] ^= 1 << (at % 8);
            let found = examine(&maker, changed);
            assert_ne!(found, "accepted", "certificate {place}, byte {at}");
            let mut cut = shown.clone();
            cut[place].truncate(at);
            assert_ne!(examine(&maker, cut), "accepted", "certificate {place}, cut at {at}");
        }
    }
}

#[cfg(feature = "keystore")]
mod folder {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_of_anchors_has_roots_and_intermediates_by_class() {
        let maker = Maker::yubihsm();
        let directory = tempfile::tempdir().unwrap();
        let mut anchors = Anchors::none();
        let error = anchors.load(directory.path()).unwrap_err();
        assert!(matches!(error, AttestationError::NoAnchors { .. }), "{error:?}");
        let folder = directory.path().join("yubihsm");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.join("root.pem"), maker::pem(&maker.root)).unwrap();
        fs::write(folder.join("sub.pem"), maker::pem(&maker.sub)).unwrap();
        fs::write(folder.join("README"), "no certificate").unwrap();
        for file in ["root.pem", "sub.pem"] {
            fs::set_permissions(folder.join(file), Permissions::from_mode(0o644)).unwrap();
        }
        anchors.load(directory.path()).unwrap();
        let shown = DeviceCertificates(vec![leaf(&maker), maker.device.clone()]);
        assert_eq!(named(Verifier::new(anchors.clone()).examine(&shown, now())), "accepted");
        // The root alone is believed.
        fs::remove_file(folder.join("root.pem")).unwrap();
        let mut without = Anchors::none();
        without.load(directory.path()).unwrap();
        assert_eq!(named(Verifier::new(without).examine(&shown, now())), "NoIssuer");
        // Whoever can write there would choose whom we believe.
        fs::set_permissions(folder.join("sub.pem"), Permissions::from_mode(0o666)).unwrap();
        let error = Anchors::none().load(directory.path()).unwrap_err();
        assert!(matches!(error, AttestationError::Load { .. }), "{error:?}");
        fs::set_permissions(folder.join("sub.pem"), Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        let error = Anchors::none().load(directory.path()).unwrap_err();
        assert!(matches!(error, AttestationError::OthersWrite { .. }), "{error:?}");
    }
}
