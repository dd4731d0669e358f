//! What crosses the wire between us and the TPM, and how much of it.

use icn_identity::backend::tpm::{Approval, ApproverKey};
use icn_identity::backend::{StorageVault as _, WrappedKey};
use icn_identity::secret::LockedText;
use icn_identity::{DidSigner as _, Key, Sealed, TpmSealed};
use support::wire::Wire;

use super::*;

/// Every form in which 32 bytes could be recognised: whole, or either half.
fn assert_absent(wire: &Wire, what: &str, secret: &[u8]) {
    for part in secret.chunks(16).filter(|part| part.len() >= 8).chain([secret]) {
        assert!(!wire.contains(part), "{what} is on the wire");
    }
}

/// The proxy would see a secret: a plain `TPM2_Create` shows what it seals.
#[test]
fn the_proxy_sees_what_is_not_protected() {
    let node = Node::new();
    let wire = Wire::new(&node.tpm);
    let secret = "seventeen-words-in-the-open";
    let data = node.tpm.path("data");
    std::fs::write(&data, secret).unwrap();
    let path = |name: &str| node.tpm.path(name).to_str().unwrap().to_owned();
    let by_wire = |program: &str, args: &[&str]| {
        let (ok, _, err) = node.tpm.try_tool_by(&wire.tcti(), program, args);
        assert!(ok, "{err}");
    };
    by_wire("tpm2_createprimary", &["-C", "o", "-c", &path("p.ctx")]);
    let args = ["-C", &path("p.ctx"), "-i", &path("data"), "-u", &path("u"), "-r", &path("r")];
    by_wire("tpm2_create", &args);
    assert!(wire.contains(secret.as_bytes()));
}

#[test]
fn neither_seed_nor_storage_key_nor_pin_is_on_the_wire() {
    let node = Node::new();
    let wire = Wire::new(&node.tpm);
    let mut plain = node.config();
    plain.device_path = wire.tcti();
    let mut with_pin = plain.clone();
    with_pin.pin = true;
    let storage = LockedText::from(format!("AGE-SECRET-KEY-1{}", "QPZRY9X8GF2TVDW0".repeat(3)));
    for config in [plain, with_pin] {
        let backend = node.open(&config);
        let (key, locator) = create(&backend, &config, AlgorithmId::Ed25519);
        let credential = Credentials::pin(pin_of(&config));
        let wrapped = backend.wrap(key.did(), &storage, &credential).unwrap().unwrap();
        let did = key.did().clone();
        drop(key);
        let backend = node.open(&config);
        let key = find(&backend, &locator, &did).unseal(&pin_of(&config)).unwrap();
        let opened = backend.unwrap(&did, &wrapped, &credential).unwrap();
        assert_eq!(opened.expose_secret(), storage.expose_secret());
        drop(key);
        assert_absent(&wire, "the storage key", storage.expose_secret().as_bytes());
        assert_absent(&wire, "the PIN", PIN.as_bytes());
        if !config.pin {
            // What was sealed, as the TPM gives it to whoever satisfies the policy.
            let seed = unsealed_by_tools(&node, object(&locator));
            assert_eq!(seed.len(), 32);
            let key =
                Key::<icn_identity::Software, _>::from_seed(&seed.clone().try_into().unwrap());
            assert_eq!(key.verifying_key(), did.verifying_key());
            assert_absent(&wire, "the seed", &seed);
            let WrappedKey::Tpm(wrapped) = &wrapped else { panic!("{wrapped:?}") };
            let sealed = unsealed_by_tools(&node, wrapped);
            assert_eq!(sealed, storage.expose_secret().as_bytes());
        }
        let (born, _) = create(&backend, &config, AlgorithmId::P256);
        born.sign(b"hello").unwrap();
    }
    assert_absent(&wire, "the storage key", storage.expose_secret().as_bytes());
    assert_absent(&wire, "the PIN", PIN.as_bytes());
    node.assert_tidy();
}

/// The seed is known from the time before it had a PIN, and is looked for in
/// everything after that too.
#[test]
fn a_seed_sealed_anew_with_a_pin_is_not_on_the_wire() {
    let mut identity = identity::Identity::new(AlgorithmId::Ed25519, false);
    let header = identity.store.header().unwrap();
    let seed = unsealed_by_tools(&identity.node, header.tpm().unwrap());
    let key = Key::<icn_identity::Software, _>::from_seed(&seed.clone().try_into().unwrap());
    assert_eq!(key.verifying_key(), header.did().verifying_key());
    let icn_identity::keystore::Storage::TpmSealed { object: storage } = header.storage() else {
        panic!("{:?}", header.storage())
    };
    let storage = unsealed_by_tools(&identity.node, storage);
    let wire = Wire::new(&identity.node.tpm);
    identity.config.device_path = wire.tcti();
    identity.config.pin = true;
    identity.reseal(None, Some(PIN), None).unwrap();
    identity.open(Some(PIN)).unwrap();
    assert!(wire.names().iter().filter(|name| *name == "Unseal").count() >= 4);
    assert_absent(&wire, "the seed", &seed);
    assert_absent(&wire, "the storage key", &storage);
    assert_absent(&wire, "the PIN", PIN.as_bytes());
}

/// Unseals by tpm2-tools, past the proxy.
fn unsealed_by_tools(node: &Node, object: &TpmObject) -> Vec<u8> {
    tools::load_by_tools(node, object, "unsealing");
    let path = |name: &str| node.tpm.path(name).to_str().unwrap().to_owned();
    let session = path("policy.ctx");
    node.tpm.tool("tpm2_startauthsession", &["--policy-session", "-S", &session]);
    node.tpm.tool("tpm2_policypcr", &["-S", &session, "-l", "sha256:16"]);
    let auth = format!("session:{session}");
    node.tpm
        .tool("tpm2_unseal", &["-c", &path("unsealing.ctx"), "-p", &auth, "-o", &path("unsealed")]);
    node.tpm.try_tool("tpm2_flushcontext", &[&session]);
    node.tpm.tool("tpm2_flushcontext", &["-t"]);
    std::fs::read(path("unsealed")).unwrap()
}

/// The table in `docs/backends/tpm.md`. (A TPM may ask to send a command again:
/// many do with the first use of a PIN after their start.)
#[track_caller]
fn assert_commands(wire: &Wire, expected: usize, what: &str) {
    let mut names = wire.names();
    assert!(names.len() <= 16, "{what}: {names:?}");
    names.dedup_by(|next, name| next == name && ["Unseal", "Sign"].contains(&name.as_str()));
    assert_eq!(names.len(), expected, "{what}: {names:?}");
}

#[test]
fn an_unlock_takes_few_commands() {
    let node = Node::new();
    let wire = Wire::new(&node.tpm);
    node.tpm.make_storage_root(0x8100_0001);
    let (private, public) = node.approver("approver");
    for handle in [None, Some(0x8100_0001)] {
        for algorithm in BOTH {
            for (pin, approved, unlock, signature) in [
                (false, false, 7, 2),
                (true, false, 10, 3),
                (false, true, 12, 4),
                (true, true, 15, 5),
            ] {
                // What is unsealed without a PIN is overwritten.
                let overwritten = algorithm == AlgorithmId::Ed25519 && !pin;
                let unlock = unlock + usize::from(overwritten) - usize::from(handle.is_some());
                let mut config = if approved { node.authorized(&public) } else { node.config() };
                config.device_path = wire.tcti();
                config.pin = pin;
                config.key_handle = handle;
                let backend = node.open(&config);
                let (key, locator) = create(&backend, &config, algorithm);
                let did = key.did().clone();
                drop(key);
                if approved {
                    let secret = LockedText::from("AGE-SECRET-KEY-1TEST");
                    let credential = Credentials::pin(pin_of(&config));
                    let wrapped = backend.wrap(&did, &secret, &credential).unwrap().unwrap();
                    let WrappedKey::Tpm(storage) = wrapped else { panic!("{wrapped:?}") };
                    node.tpm.extend_pcr(16);
                    let check = backend.check(&did, object(&locator), &storage, None).unwrap();
                    let key = ApproverKey::read(&private).unwrap();
                    let approval = Approval::sign(&check.request.unwrap(), &key).unwrap();
                    backend.install(&approval, &did, object(&locator), &storage).unwrap();
                }
                let sealed = find(&backend, &locator, &did);
                wire.clear();
                let key = sealed.unseal(&pin_of(&config)).unwrap();
                assert_commands(&wire, unlock, &format!("{algorithm} {handle:?} {pin} {approved}"));
                wire.clear();
                key.sign(b"hello").unwrap();
                match algorithm {
                    AlgorithmId::P256 => assert_commands(&wire, signature, "signature"),
                    _ => assert_commands(&wire, 0, "signature in memory"),
                }
                drop(key);
                node.tpm.try_tool("tpm2_pcrreset", &["16"]);
            }
        }
    }
    node.assert_tidy();
}

/// Between the two `id reseal`s of an update the PCRs are read first.
#[test]
fn an_unlock_in_one_of_two_states_takes_ten_commands() {
    let identity = identity::Identity::new(AlgorithmId::Ed25519, false);
    let coming = identity::after_the_update(&identity.node);
    identity.reseal(None, None, Some(&coming)).unwrap();
    let wire = Wire::new(&identity.node.tpm);
    let mut config = identity.config.clone();
    config.device_path = wire.tcti();
    let header = identity.store.header().unwrap();
    let locator = header.device_locator().unwrap();
    let backend = identity.node.open(&config);
    for _ in 0..2 {
        let sealed = find(&backend, &locator, header.did());
        wire.clear();
        sealed.unseal(&Pin::none()).unwrap();
        assert_commands(&wire, 10, "one of two states");
        identity.node.tpm.extend_pcr(16);
    }
}

#[test]
fn a_sealed_key_is_unsealed_once_and_not_for_each_signature() {
    let node = Node::new();
    let wire = Wire::new(&node.tpm);
    let mut config = node.config();
    config.device_path = wire.tcti();
    let backend = node.open(&config);
    let (key, _) = create(&backend, &config, AlgorithmId::Ed25519);
    let key: Key<TpmSealed, _> = key.try_into().unwrap();
    wire.clear();
    for _ in 0..50 {
        key.sign(b"hello").unwrap();
    }
    let sealed: Key<TpmSealed, Sealed> = key.seal();
    assert!(wire.commands().is_empty());
    sealed.unseal(&Pin::none()).unwrap();
    assert_eq!(wire.names().iter().filter(|name| *name == "Unseal").count(), 1);
}
