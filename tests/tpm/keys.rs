//! Keys made, found again, signing.

use icn_identity::error::{OpenError, TpmError};
use icn_identity::{
    Assurance, AtRest as _, DidSigner as _, DidSignerExt as _, Hardware, IdentityBundle, Key,
    NeverExposed, P256, ProvenanceKind, Requirement, Sealed, TpmSealed, Unlocked,
};

use super::*;

#[test]
fn a_key_survives_a_restart_of_its_tpm() {
    for algorithm in BOTH {
        for pin in [false, true] {
            let mut node = Node::new();
            let mut config = node.config();
            config.pin = pin;
            let backend = node.open(&config);
            let (key, locator) = create(&backend, &config, algorithm);
            let did = key.did().clone();
            let first = key.sign(b"hello").unwrap();
            did.verifying_key().verify_strict(b"hello", &first).unwrap();
            drop((key, backend));
            node.assert_tidy();
            node.tpm.restart();
            let backend = node.open(&config);
            let key = find(&backend, &locator, &did).unseal(&pin_of(&config)).unwrap();
            let again = key.sign(b"hello").unwrap();
            did.verifying_key().verify_strict(b"hello", &again).unwrap();
            drop((key, backend));
            node.assert_tidy();
        }
    }
}

fn facts(key: &DidKey) -> Vec<(&'static str, &'static str)> {
    key.evidence().unwrap().facts().map(|shown| (shown.name, shown.fact.as_str())).collect()
}

#[test]
fn the_evidence_is_what_the_tpm_says_and_a_virtual_tpm_is_soft() {
    let node = Node::new();
    let config = node.with_pin();
    let backend = node.open(&config);
    let (sealed, _) = create(&backend, &config, AlgorithmId::Ed25519);
    let (born, _) = create(&backend, &config, AlgorithmId::P256);
    assert_eq!(sealed.provenance(), ProvenanceKind::TpmSealed);
    assert_eq!(born.provenance(), ProvenanceKind::Hardware);
    let expected = |born| {
        vec![
            ("fixed_tpm", "true"),
            ("fixed_parent", "true"),
            ("sensitive_data_origin", if born { "true" } else { "false" }),
            ("user_with_auth", "false"),
            ("no_da", "false"),
        ]
    };
    assert_eq!(facts(&sealed), expected(false));
    assert_eq!(facts(&born), expected(true));
    for key in [&sealed, &born] {
        let evidence = key.evidence().unwrap();
        assert_eq!(evidence.assurance(), Assurance::SoftToken);
        assert!(!key.is_hardware_backed());
        let device = evidence.device().unwrap();
        assert_eq!((device.manufacturer.as_str(), device.model.as_str()), ("IBM", "SW   TPM"));
        assert!(Requirement::any().at_least(Assurance::Claimed).check(key).is_err());
    }
    assert!(Requirement::any().never_exposed().check(&born).is_ok());
    assert!(Requirement::any().confined().check(&sealed).is_err());
    // Only a PIN is worth guessing.
    let (open, _) = create(&node.open(&node.config()), &node.config(), AlgorithmId::P256);
    assert!(facts(&open).contains(&("no_da", "true")));
}

/// What a consumer writes.
fn treasury<K: icn_identity::DidSigner + NeverExposed>(key: &K) -> Did {
    key.did().clone()
}

#[test]
fn static_types_are_had_by_evidence_only_and_refusals_give_the_key_back() {
    let node = Node::new();
    let config = node.config();
    let backend = node.open(&config);
    let (key, locator) = create(&backend, &config, AlgorithmId::P256);
    let did = key.did().clone();
    assert!(did.as_str().starts_with("did:key:zDn"));
    let key: Key<Hardware, Unlocked, P256> = key.try_into().unwrap();
    assert_eq!(treasury(&key), did);
    let sealed: Key<Hardware, Sealed, P256> = key.seal();
    node.assert_tidy();
    let key = sealed.open(&Pin::none()).unwrap();
    let bundle = IdentityBundle::issue(key).unwrap();
    bundle.verify_binding(std::time::SystemTime::now()).unwrap();
    let signature = bundle.sign(b"hello").unwrap();
    bundle.verifying_key().verify(b"hello", &signature).unwrap();
    drop(bundle);
    let found = find(&backend, &locator, &did);
    let refused = Key::<Hardware, Sealed>::try_from(found).unwrap_err();
    assert!(matches!(refused.reason(), OpenError::WrongAlgorithm { .. }));
    let refused = Key::<TpmSealed, Sealed>::try_from(refused.into_key()).unwrap_err();
    assert!(matches!(refused.reason(), OpenError::WrongAlgorithm { .. }));
    refused.into_key().unseal(&Pin::none()).unwrap();

    let (key, locator) = create(&backend, &config, AlgorithmId::Ed25519);
    let did = key.did().clone();
    let wrong = Key::<Hardware, Unlocked>::try_from(key).unwrap_err();
    assert_eq!(wrong.found(), ProvenanceKind::TpmSealed);
    let key: Key<TpmSealed, Unlocked> = wrong.into_key().try_into().unwrap();
    let key = key.seal().unseal(&Pin::none()).unwrap();
    let bundle = IdentityBundle::issue(key).unwrap();
    let signature = bundle.sign(b"hello").unwrap();
    bundle.verifying_key().verify(b"hello", &signature).unwrap();
    let refused = find(&backend, &locator, &did).demand_hardware().unwrap_err();
    assert!(matches!(
        refused.reason(),
        OpenError::WrongProvenance { found: ProvenanceKind::TpmSealed, .. }
    ));
    refused.into_key().unseal(&Pin::none()).unwrap();
    node.assert_tidy();
}

#[test]
fn p256_signatures_are_64_bytes_and_low() {
    let node = Node::new();
    let config = node.config();
    let (key, _) = create(&node.open(&config), &config, AlgorithmId::P256);
    for index in 0..300_u32 {
        let message = index.to_be_bytes();
        let signature = key.sign(&message).unwrap();
        key.verifying_key().verify_strict(&message, &signature).unwrap();
    }
}

#[test]
fn a_persistent_storage_key_is_used_and_its_name_checked() {
    let mut node = Node::new();
    node.tpm.make_storage_root(0x8100_0001);
    let mut config = node.config();
    config.key_handle = Some(0x8100_0001);
    for algorithm in BOTH {
        let (key, locator) = create(&node.open(&config), &config, algorithm);
        let did = key.did().clone();
        drop(key);
        assert_eq!(object(&locator).parent.handle, Some(0x8100_0001));
        node.tpm.restart();
        find(&node.open(&config), &locator, &did).unseal(&Pin::none()).unwrap();
        node.assert_tidy();

        node.tpm.tool("tpm2_evictcontrol", &["-C", "o", "-c", "0x81000001"]);
        let refused = find(&node.open(&config), &locator, &did).unseal(&Pin::none()).unwrap_err();
        assert_shows(refused, &["no storage key at 0x81000001", "key_handle"]);
        // A key that could not be told from it but by its Name.
        let primary = node.tpm.path("other.ctx");
        let primary = primary.to_str().unwrap();
        node.tpm.tool(
            "tpm2_createprimary",
            &[
                "-C",
                "o",
                "-G",
                "ecc",
                "-c",
                primary,
                "-a",
                "restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth",
            ],
        );
        node.tpm.tool("tpm2_evictcontrol", &["-C", "o", "-c", primary, "0x81000001"]);
        node.tpm.tool("tpm2_flushcontext", &["-t"]);
        let refused = find(&node.open(&config), &locator, &did).unseal(&Pin::none()).unwrap_err();
        assert_shows(refused, &["the storage key at 0x81000001 is 000b", "nothing was sent"]);
        node.assert_tidy();
        node.tpm.tool("tpm2_evictcontrol", &["-C", "o", "-c", "0x81000001"]);
        node.tpm.make_storage_root(0x8100_0001);
    }
}

#[test]
fn another_tpm_and_a_cleared_one_do_not_open_a_key() {
    let (node, other) = (Node::new(), Node::new());
    for algorithm in BOTH {
        let config = node.with_pin();
        let (key, locator) = create(&node.open(&config), &config, algorithm);
        let did = key.did().clone();
        drop(key);
        let elsewhere = other.open(&other.with_pin());
        let refused = find(&elsewhere, &locator, &did).unseal(&Pin::new(PIN)).unwrap_err();
        assert_shows(refused, &["another TPM, or it was cleared", "nothing was sent"]);
        assert_eq!(other.tpm.lockout_counter(), 0);
        other.assert_tidy();

        // With the parent's Name forged in the locator, the TPM itself refuses.
        let mut forged = object(&locator).clone();
        let (_, theirs) = create(&other.open(&other.with_pin()), &other.with_pin(), algorithm);
        forged.parent = object(&theirs).parent.clone();
        let forged = Locator::Tpm(Box::new(forged));
        let refused = find(&elsewhere, &forged, &did).unseal(&Pin::new(PIN)).unwrap_err();
        assert_shows(refused, &["key object in the header is damaged", "TPM_RC_INTEGRITY"]);
        // Unless the configuration pins it: then nothing is sent at all.
        let mut pinned = other.with_pin();
        pinned.parent_name = Some(object(&locator).parent.name.clone());
        let refused = other.open(&pinned).find(&forged, &did).unwrap_err();
        assert_shows(refused, &["and `parent_name` pins", "Nothing was sent to it"]);
    }
    let config = node.config();
    let (key, locator) = create(&node.open(&config), &config, AlgorithmId::Ed25519);
    let did = key.did().clone();
    node.tpm.clear();
    let refused = find(&node.open(&config), &locator, &did).unseal(&Pin::none()).unwrap_err();
    assert_shows(refused, &["another TPM, or it was cleared"]);
    node.assert_tidy();
}

#[test]
fn damaged_parts_are_named() {
    let node = Node::new();
    let config = node.config();
    let backend = node.open(&config);
    for algorithm in BOTH {
        let (key, locator) = create(&backend, &config, algorithm);
        let did = key.did().clone();
        drop(key);
        let whole = object(&locator);
        for at in (0..whole.private.len()).step_by(7) {
            let mut broken = whole.clone();
            broken.private[at] ^= 1;
            let broken = Locator::Tpm(Box::new(broken));
            let refused = find(&backend, &broken, &did).unseal(&Pin::none()).unwrap_err();
            assert_shows(refused, &["key object in the header is damaged"]);
        }
        for at in 0..whole.public.len() {
            let mut broken = whole.clone();
            broken.public[at] ^= 1;
            let broken = Locator::Tpm(Box::new(broken));
            let opened = backend
                .find(&broken, &did)
                .and_then(|found| match found {
                    KeyAtRest::Device(key) => Ok(key.unseal(&Pin::none())?),
                    other => panic!("{other:?}"),
                })
                .map(drop);
            assert!(opened.is_err(), "byte {at}");
        }
        let mut cut = whole.clone();
        cut.public.pop();
        let refused = backend.find(&Locator::Tpm(Box::new(cut)), &did).unwrap_err();
        assert_shows(refused, &["key object in the header is damaged"]);
        // Another policy than the one inside the public part.
        let mut other = whole.clone();
        other.policy.pcr[0].values.insert(16, "11".repeat(32));
        let refused = backend.find(&Locator::Tpm(Box::new(other)), &did).unwrap_err();
        assert_shows(refused, &["the policy of the key object is not the one"]);
    }
    node.assert_tidy();
}

#[test]
fn what_cannot_be_made_is_refused() {
    let node = Node::new();
    let request = NewKey::default();
    let refused = |config: &TpmConfig, pin: Pin| {
        node.open(config).create(&request, &Credentials::pin(pin)).unwrap_err()
    };
    assert_shows(refused(&node.with_pin(), Pin::none()), &["wants a PIN", "no try was spent"]);
    assert_shows(refused(&node.config(), Pin::new(PIN)), &["a PIN was given"]);
    assert_shows(refused(&node.with_pin(), Pin::new("")), &["it is empty"]);
    let mut config = node.config();
    config.policy = PcrPolicy::Authorized;
    assert_shows(refused(&config, Pin::none()), &["approver's public key"]);
    let mut config = node.config();
    config.platform_binding = false;
    let backend = TpmBackend::open(node.home(), &config).unwrap_err();
    assert_shows(backend, &["no such policy: neither platform_binding nor pin"]);
    #[cfg(not(feature = "attestation"))]
    {
        config.attestation = true;
        let backend = TpmBackend::open(node.home(), &config).unwrap_err();
        assert_shows(backend, &["no such policy: attestation = true"]);
    }
    let mut config = node.config();
    config.key_handle = Some(0x8100_0099);
    assert_shows(refused(&config, Pin::none()), &["no storage key at 0x81000099"]);
    let gone = TpmBackend::open(node.home(), &TpmConfig::new("/dev/tpm-of-nobody")).unwrap_err();
    assert!(matches!(&gone, icn_identity::error::DeviceError::Tpm(TpmError::NoDevice { .. })));
    node.assert_tidy();
}
