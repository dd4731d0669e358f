//! Policies: enforced by the TPM, changed by those who may.

use icn_identity::DidSigner as _;
use icn_identity::backend::tpm::{Approval, ApproverKey};
use icn_identity::error::{DeviceError, OpenError, TpmError};
use tss_esapi::attributes::SessionAttributesBuilder;
use tss_esapi::constants::SessionType;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{Digest, Private, Public, SymmetricDefinition};
use tss_esapi::traits::UnMarshall as _;
use tss_esapi::{Context, tcti_ldr::TctiNameConf};

use super::*;

#[test]
fn changed_pcrs_are_refused_by_name_and_cost_no_try() {
    for algorithm in BOTH {
        for config in [|node: &Node| node.config(), Node::with_pin] {
            let node = Node::new();
            let config = config(&node);
            let backend = node.open(&config);
            let (key, locator) = create(&backend, &config, algorithm);
            let did = key.did().clone();
            drop(key);
            node.tpm.extend_pcr(16);
            let before = node.tpm.lockout_counter();
            let refused = find(&backend, &locator, &did).unseal(&pin_of(&config)).unwrap_err();
            let OpenError::Device(DeviceError::Tpm(TpmError::PcrMismatch { differences, .. })) =
                refused.reason()
            else {
                panic!("{:?}", refused.reason());
            };
            assert_eq!(differences.len(), 1);
            assert_eq!((differences[0].bank, differences[0].index), ("sha256", 16));
            assert_eq!(differences[0].found, node.tpm.read_pcr(16));
            assert_shows(refused, &["PCR 16 (sha256) is", "`IdentityStore::reseal`"]);
            assert_eq!(node.tpm.lockout_counter(), before);
            node.assert_tidy();
            // Back again, without a new start of anything.
            node.tpm.tool("tpm2_pcrreset", &["16"]);
            find(&backend, &locator, &did).unseal(&pin_of(&config)).unwrap();
        }
    }
}

#[test]
fn an_open_p256_key_stops_signing_when_pcrs_change() {
    let node = Node::new();
    let config = node.config();
    let (key, _) = create(&node.open(&config), &config, AlgorithmId::P256);
    key.sign(b"one").unwrap();
    node.tpm.extend_pcr(16);
    assert_shows(key.sign(b"two").unwrap_err(), &["could not sign", "PCR 16 (sha256) is"]);
    node.tpm.tool("tpm2_pcrreset", &["16"]);
    key.sign(b"three").unwrap();
    drop(key);
    node.assert_tidy();
}

#[test]
fn several_registers_of_another_bank_are_bound() {
    let node = Node::new();
    let mut config = node.config();
    config.pcr_bank = icn_identity::backend::PcrBank::Sha384;
    config.pcr_indices = PcrIndices::new([0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 23]).unwrap();
    for algorithm in BOTH {
        let backend = node.open(&config);
        let (key, locator) = create(&backend, &config, algorithm);
        let did = key.did().clone();
        drop(key);
        assert_eq!(object(&locator).policy.pcr[0].values.len(), 11);
        find(&backend, &locator, &did).unseal(&Pin::none()).unwrap();
        let value = "22".repeat(48);
        node.tpm.tool("tpm2_pcrextend", &[&format!("23:sha384={value}")]);
        let refused = find(&backend, &locator, &did).unseal(&Pin::none()).unwrap_err();
        assert_shows(refused, &["PCR 23 (sha384) is"]);
        node.tpm.tool("tpm2_pcrreset", &["23"]);
    }
}

/// Loads an object under the storage root by bare tss-esapi.
fn load_raw(context: &mut Context, object: &TpmObject) -> tss_esapi::handles::KeyHandle {
    context.execute_with_session(Some(AuthSession::Password), |context| {
        let root = context
            .create_primary(Hierarchy::Owner, h2::template(), None, None, None, None)
            .unwrap()
            .key_handle;
        let private = Private::try_from(object.private.clone()).unwrap();
        let loaded = context.load(root, private, Public::unmarshall(&object.public).unwrap());
        context.flush_context(root.into()).unwrap();
        loaded.unwrap()
    })
}

/// The last four digits of what a call returned, which tss-esapi only prints.
fn code<T: std::fmt::Debug>(returned: Result<T, tss_esapi::Error>) -> String {
    match returned.unwrap_err() {
        tss_esapi::Error::Tss2Error(code) => {
            use std::error::Error as _;
            code.source().unwrap().to_string()
        }
        error => format!("{error:?}"),
    }
}

/// The policy is the chip's, not ours: nothing but it opens the objects.
#[test]
fn a_password_session_and_an_empty_policy_are_refused_by_the_tpm() {
    let node = Node::new();
    for config in [node.config(), node.with_pin()] {
        let backend = node.open(&config);
        for algorithm in BOTH {
            let (key, locator) = create(&backend, &config, algorithm);
            drop(key);
            let conf: TctiNameConf = node.tpm.tcti().parse().unwrap();
            let mut context = Context::new(conf).unwrap();
            let loaded = load_raw(&mut context, object(&locator));
            let policy = context
                .start_auth_session(
                    None,
                    None,
                    None,
                    SessionType::Policy,
                    SymmetricDefinition::AES_128_CFB,
                    HashingAlgorithm::Sha256,
                )
                .unwrap()
                .unwrap();
            let (attributes, mask) = SessionAttributesBuilder::new().build();
            context.tr_sess_set_attributes(policy, attributes, mask).unwrap();
            for (session, refusal) in [(AuthSession::Password, "12f"), (policy, "99d")] {
                let used = context.execute_with_session(Some(session), |context| match algorithm {
                    AlgorithmId::P256 => {
                        let digest = Digest::try_from([0_u8; 32].as_slice()).unwrap();
                        code(context.sign(
                            loaded,
                            digest,
                            tss_esapi::structures::SignatureScheme::Null,
                            no_ticket(),
                        ))
                    }
                    _ => code(context.unseal(loaded.into())),
                });
                assert!(used.contains(refusal), "{algorithm} {used}");
            }
        }
    }
    assert_eq!(node.tpm.lockout_counter(), 0);
}

fn no_ticket() -> tss_esapi::structures::HashcheckTicket {
    tss_esapi::structures::HashcheckTicket::try_from(tss_esapi::tss2_esys::TPMT_TK_HASHCHECK {
        tag: tss_esapi::constants::StructureTag::Hashcheck.into(),
        hierarchy: tss_esapi::constants::tss::TPM2_RH_NULL,
        digest: Default::default(),
    })
    .unwrap()
}

/// An identity's two objects, and their DID.
fn authorized_pair(
    backend: &TpmBackend,
    config: &TpmConfig,
    algorithm: AlgorithmId,
) -> (Did, Locator, TpmObject) {
    use icn_identity::backend::{StorageVault as _, WrappedKey};
    let (key, locator) = create(backend, config, algorithm);
    let credential = Credentials::pin(pin_of(config));
    let secret = icn_identity::secret::LockedText::from("AGE-SECRET-KEY-1TEST");
    let wrapped = backend.wrap(key.did(), &secret, &credential).unwrap().unwrap();
    let WrappedKey::Tpm(storage) = wrapped else { panic!("{wrapped:?}") };
    (key.did().clone(), locator, *storage)
}

#[test]
fn an_approver_brings_a_key_back_after_an_update() {
    for algorithm in BOTH {
        for pin in [false, true] {
            let mut node = Node::new();
            let (private, public) = node.approver("approver");
            let mut config = node.authorized(&public);
            config.pin = pin;
            let backend = node.open(&config);
            let (did, locator, storage) = authorized_pair(&backend, &config, algorithm);
            let open = |backend: &TpmBackend| {
                find(backend, &locator, &did).unseal(&pin_of(&config)).map(drop)
            };
            open(&backend).unwrap();
            node.tpm.extend_pcr(16);
            assert_shows(
                open(&backend).unwrap_err(),
                &["PCR 16", "`Approval::sign`, then `TpmBackend::install`"],
            );

            let check = backend.check(&did, object(&locator), &storage, None).unwrap();
            assert!(!check.opens && check.objects.len() == 2);
            let request = check.request.unwrap();
            let key = ApproverKey::read(&private).unwrap();
            let approval = Approval::sign(&request, &key).unwrap();
            let json = serde_json::to_vec(&approval).unwrap();
            let approval = Approval::from_json(&json).unwrap();
            backend.install(&approval, &did, object(&locator), &storage).unwrap();
            let check = backend.check(&did, object(&locator), &storage, None).unwrap();
            assert!(check.opens && check.objects.iter().all(|one| one.by == Some("approval")));
            open(&backend).unwrap();
            node.assert_tidy();
            // After a restart the values are those of the beginning, which stay good.
            drop(backend);
            node.tpm.restart();
            let backend = node.open(&config);
            open(&backend).unwrap();
            let check = backend.check(&did, object(&locator), &storage, None).unwrap();
            assert!(check.objects.iter().all(|one| one.by == Some("literal")));
            node.tpm.extend_pcr(16);
            open(&backend).unwrap();
            // A third state was approved by nobody.
            node.tpm.extend_pcr(16);
            assert_shows(open(&backend).unwrap_err(), &["PCR 16"]);
            node.assert_tidy();
        }
    }
}

#[test]
fn an_open_p256_key_signs_on_by_an_approval() {
    let node = Node::new();
    let (private, public) = node.approver("approver");
    let config = node.authorized(&public);
    let backend = node.open(&config);
    let (did, locator, storage) = authorized_pair(&backend, &config, AlgorithmId::P256);
    node.tpm.extend_pcr(16);
    let request = backend.check(&did, object(&locator), &storage, None).unwrap().request.unwrap();
    let approval = Approval::sign(&request, &ApproverKey::read(&private).unwrap()).unwrap();
    backend.install(&approval, &did, object(&locator), &storage).unwrap();
    let key = find(&backend, &locator, &did).unseal(&Pin::none()).unwrap();
    for _ in 0..3 {
        key.sign(b"approved").unwrap();
    }
}

#[test]
fn approvals_that_do_not_fit_are_refused_here_and_by_the_tpm() {
    let node = Node::new();
    let (private, public) = node.approver("approver");
    let (foreign, _) = node.approver("foreign");
    let config = node.authorized(&public);
    let backend = node.open(&config);
    let (did, locator, storage) = authorized_pair(&backend, &config, AlgorithmId::Ed25519);
    let (other_did, other, other_storage) =
        authorized_pair(&backend, &config, AlgorithmId::Ed25519);
    node.tpm.extend_pcr(16);
    let request_of = |did: &Did, locator: &Locator, storage: &TpmObject| {
        backend.check(did, object(locator), storage, None).unwrap().request.unwrap()
    };
    let request = request_of(&did, &locator, &storage);
    let key = ApproverKey::read(&private).unwrap();
    let refused = Approval::sign(&request, &ApproverKey::read(&foreign).unwrap()).unwrap_err();
    assert_shows(refused, &["another approver"]);
    let for_other = Approval::sign(&request_of(&other_did, &other, &other_storage), &key).unwrap();
    let refused = backend.install(&for_other, &did, object(&locator), &storage).unwrap_err();
    assert_shows(refused, &["the approval cannot be used: it is for another identity"]);
    let good = serde_json::to_value(Approval::sign(&request, &key).unwrap()).unwrap();
    for change in ["values", "signature", "approver"] {
        let mut changed = good.clone();
        match change {
            "values" => changed["pcr"]["values"]["16"] = "33".repeat(32).into(),
            "signature" => {
                let swapped = good["signatures"][1]["signature"].clone();
                changed["signatures"][0]["signature"] = swapped;
            }
            _ => changed["approver"] = format!("02{}", "11".repeat(32)).into(),
        }
        let changed = serde_json::to_vec(&changed).unwrap();
        let changed = Approval::from_json(&changed).unwrap();
        let refused = backend.install(&changed, &did, object(&locator), &storage).unwrap_err();
        assert_shows(refused, &["the approval cannot be used"]);
        // Put there by hand it opens nothing.
        let file = node.home().join("tpm-approvals.json");
        std::fs::write(&file, serde_json::to_vec(&[&changed]).unwrap()).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let refused = find(&backend, &locator, &did).unseal(&Pin::none()).unwrap_err();
        assert_shows(refused, &["PCR 16 (sha256) is"]);
    }
    for no_approval in [&b"{}"[..], b"", b"[1]"] {
        assert_shows(Approval::from_json(no_approval).unwrap_err(), &["no approval"]);
    }
    node.assert_tidy();
}

/// Values to come are looked at, without a PIN and without a try.
#[test]
fn a_check_tells_what_will_open_and_spends_no_try() {
    let node = Node::new();
    let config = node.with_pin();
    let backend = node.open(&config);
    let (did, locator, storage) = authorized_pair(&backend, &config, AlgorithmId::Ed25519);
    let check = |values| backend.check(&did, object(&locator), &storage, values).unwrap();
    let now = check(None);
    assert!(now.opens && now.objects.iter().all(|one| one.wants_pin && one.by == Some("literal")));
    assert_eq!((now.tries_left, now.request), (Some(3), None));
    let coming =
        icn_identity::backend::PcrValues::parse(&format!("sha256:\n 16 : 0x{}", "AB".repeat(32)))
            .unwrap();
    let then = check(Some(&coming));
    assert!(!then.opens);
    assert_eq!(then.objects[0].differences[0].found, "ab".repeat(32));
    let other =
        icn_identity::backend::PcrValues::parse(&format!("sha256:\n 3 : 0x{}", "AB".repeat(32)))
            .ok();
    let refused = backend.check(&did, object(&locator), &storage, other.as_ref()).unwrap_err();
    assert_shows(refused, &["of PCRs that the policy has not"]);
    assert_eq!(node.tpm.lockout_counter(), 0);
    node.assert_tidy();
}
