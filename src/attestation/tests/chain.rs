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
        .with(extension("1.3.6.1.4.1.41482.4.1", &[4, 3, 2, 4, 0]))
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

/// An authority that was renewed has two certificates for one key, one of them ended.
#[test]
fn a_renewed_authority_is_found_whatever_the_order_of_its_certificates() {
    let maker = Maker::yubihsm();
    let way = |shown: &[&Vec<u8>], roots: &[&Vec<u8>], known: &[&Vec<u8>]| {
        let mut anchors = Anchors::none();
        for root in roots {
            anchors.add(DeviceClass::YubiHsm, root).unwrap();
        }
        for sub in known {
            anchors.add_intermediate(DeviceClass::YubiHsm, sub).unwrap();
        }
        let leaf = leaf(&maker);
        let shown = [&[&leaf, &maker.device], shown].concat();
        let shown = DeviceCertificates(shown.into_iter().cloned().collect());
        named(Verifier::new(anchors).examine(&shown, now()))
    };
    let ended = |name: &str, key: &Signer| {
        let mut form = Form::new(name, "Root", key.spki()).with(authority(None));
        form.until = "20260101000000Z".into();
        form.sign(&maker.root_key)
    };
    let (root, sub) = (&maker.root, &maker.sub);
    let (old_root, old_sub) = (&ended("Root", &maker.root_key), &ended("Sub", &maker.sub_key));
    for roots in [[root, old_root], [old_root, root]] {
        assert_eq!(way(&[sub], &roots, &[]), "accepted");
    }
    for known in [[sub, old_sub], [old_sub, sub]] {
        assert_eq!(way(&[], &[root], &known), "accepted");
    }
    // What is shown has to be valid itself.
    assert_eq!(way(&[old_sub], &[root], &[sub]), "Expired");
    assert_eq!(way(&[sub], &[old_root], &[]), "Expired");
    // One of another key and the same name says nothing of it.
    let other = Maker::yubihsm();
    for roots in [[old_root, &other.root], [&other.root, old_root]] {
        assert_eq!(way(&[sub], &roots, &[]), "Expired");
    }
    // No authority becomes one by another certificate with its name.
    let none = &Form::new("Sub", "Root", maker.sub_key.spki()).sign(&maker.root_key);
    assert_eq!(way(&[none], &[root], &[]), "NoAuthority");
    assert_eq!(way(&[none], &[root], &[&other.sub]), "NoAuthority");
}

/// Whose word it is, in full: the relying party's own root is never taken for the maker's.
#[test]
fn the_root_that_was_believed_is_told_with_its_hash_and_origin() {
    use sha2::{Digest as _, Sha256};
    let maker = Maker::yubihsm();
    let found = examined(&maker, &Maker::yubihsm_leaf(&spki())).unwrap();
    let root = found.root_certificate();
    let hash: [u8; 32] = Sha256::digest(&maker.root).into();
    assert_eq!((root.subject(), *root.sha256(), root.is_built_in()), ("CN=Root", hash, false));
    assert_eq!(root.to_string(), "CN=Root (added by who verifies)");
    let (attestation, challenge) = attestation(&maker);
    let verdict = verifier(&maker).verify(&attestation, Fresh::To(&challenge), now()).unwrap();
    assert_eq!(verdict.root_certificate().subject(), "CN=Root");
    assert_eq!(verdict.into_hardware().unwrap().root_certificate().sha256(), &hash);
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
    // What such a key would sign has SHA-512: it is the key that is named.
    let mut by_p521 = Maker::yubihsm_leaf(&spki());
    by_p521.algorithm = Some("1.2.840.10045.4.3.4");
    let mut issuer = device(&maker, &[authority(Some(0))]);
    issuer.spki = curve("1.3.132.0.35", &[4; 133]);
    let shown = [by_p521.sign(&maker.device_key), issuer.sign(&maker.sub_key), maker.sub.clone()];
    assert_eq!(examine(&maker, shown.to_vec()), "P521");
    // A curve by its numbers, under another tag, and with something behind its name.
    let point = maker.device_key.spki()[26..].to_vec();
    let p256 = maker::oid("1.2.840.10045.3.1.7");
    let with = |parameters: &[u8]| {
        let algorithm = [maker::oid("1.2.840.10045.2.1").as_slice(), parameters].concat();
        let key = maker::tlv(3, &[&[0], point.as_slice()].concat());
        issued_by(maker::tlv(0x30, &[maker::tlv(0x30, &algorithm), key].concat()))
    };
    assert_eq!(with(&p256), "accepted");
    assert_eq!(with(&maker::tlv(0x30, &[2, 1, 1])), "UnnamedCurve");
    assert_eq!(with(&maker::tlv(4, &p256[2..])), "UnnamedCurve");
    assert_eq!(with(&[p256.as_slice(), &[5, 0]].concat()), "Malformed");
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
    let said = |file: &[u8]| {
        let error = Anchors::none().add(DeviceClass::YubiHsm, file).unwrap_err();
        crate::error::in_full(&error)
    };
    let no_authority = said(&[maker::pem(&maker.root), maker::pem(&leaf)].concat().into_bytes());
    assert!(no_authority.contains("certificate 1 is not one of a certificate"), "{no_authority}");
    let long = said(&vec![b' '; 100_000]);
    assert!(long.contains("longer than 98304 bytes"), "{long}");
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
