//! Identities on disk: opened, sealed anew, cut off in between.

use icn_identity::backend::PcrValues;
use icn_identity::keystore::{Credentials, IdentityStore, Pinned};
use icn_identity::{Assurance, DidSignerExt as _, ProvenanceKind};

use super::*;

pub(crate) struct Identity {
    pub(crate) node: Node,
    pub(crate) store: IdentityStore,
    pub(crate) config: TpmConfig,
}

fn credentials(pin: Option<&str>) -> Credentials {
    pin.map_or_else(Credentials::default, |pin| Credentials::pin(Pin::new(pin)))
}

impl Identity {
    pub(crate) fn new(algorithm: AlgorithmId, pin: bool) -> Self {
        let node = Node::new();
        let mut config = node.config();
        config.pin = pin;
        let store = IdentityStore::new(node.home());
        let request = NewKey::new(DidMethod::Icn).with_algorithm(algorithm);
        let given = credentials(pin.then_some(PIN));
        store.create(&node.open(&config), &request, &given).unwrap();
        Self { node, store, config }
    }

    pub(crate) fn open(&self, pin: Option<&str>) -> Result<(), Error> {
        let backend = self.node.open(&self.config);
        let opened = self.store.open(&backend, Pinned::Nobody, &credentials(pin))?;
        let signature = opened.bundle.sign(b"hello")?;
        opened.bundle.verifying_key().verify_strict(b"hello", &signature)?;
        Ok(())
    }

    pub(crate) fn reseal(
        &self,
        pin: Option<&str>,
        new: Option<&str>,
        values: Option<&PcrValues>,
    ) -> Result<(), Error> {
        let backend = self.node.open(&self.config);
        let new = new.map_or_else(Pin::none, Pin::new);
        self.store.reseal(&backend, Pinned::Nobody, &credentials(pin), &new, values).map(drop)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.node.home().join(name)).unwrap()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.node.home().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn has(&self, name: &str) -> bool {
        self.node.home().join(name).exists()
    }
}

/// The value of PCR 16 after it is extended once, as the tools print it.
pub(crate) fn after_the_update(node: &Node) -> PcrValues {
    node.tpm.extend_pcr(16);
    let printed = node.tpm.tool("tpm2_pcrread", &["sha256:16"]);
    node.tpm.tool("tpm2_pcrreset", &["16"]);
    PcrValues::parse(&printed).unwrap()
}

#[test]
fn an_identity_opens_after_a_restart_with_its_one_credential() {
    for algorithm in BOTH {
        for pin in [None, Some(PIN)] {
            let mut identity = Identity::new(algorithm, pin.is_some());
            identity.node.tpm.restart();
            identity.open(pin).unwrap();
            identity.node.assert_tidy();
            let summary = identity.store.header().unwrap().claimed_evidence().clone();
            assert_eq!(summary.assurance(), Assurance::SoftToken);
            assert!(!summary.is_hardware_backed());
        }
    }
}

/// Sealing anew sweeps as every other change does.
#[test]
fn resealing_sweeps_what_a_killed_writer_left() {
    let identity = Identity::new(AlgorithmId::Ed25519, false);
    let left = ".identity.json.0123456789abcdef01234567";
    identity.write(left, b"half of something");
    identity.reseal(None, None, None).unwrap();
    assert!(!identity.has(left));
    identity.open(None).unwrap();
}

#[test]
fn sealed_for_values_to_come_it_opens_before_and_after_the_update() {
    for pin in [None, Some(PIN)] {
        let mut identity = Identity::new(AlgorithmId::Ed25519, pin.is_some());
        let coming = after_the_update(&identity.node);
        // Without it, the update would lock us out.
        identity.node.tpm.extend_pcr(16);
        assert_shows(identity.open(pin).unwrap_err(), &["PCR 16 (sha256) is"]);
        identity.node.tpm.tool("tpm2_pcrreset", &["16"]);
        identity.reseal(pin, pin, Some(&coming)).unwrap();
        identity.open(pin).unwrap();
        // The machine starts anew, with the new firmware.
        identity.node.tpm.restart();
        identity.node.tpm.extend_pcr(16);
        identity.open(pin).unwrap();
        assert_eq!(identity.store.header().unwrap().generation(), 2);
        // And sealed to what is there now alone.
        identity.reseal(pin, pin, None).unwrap();
        identity.open(pin).unwrap();
        identity.node.tpm.tool("tpm2_pcrreset", &["16"]);
        assert_shows(identity.open(pin).unwrap_err(), &["PCR 16 (sha256) is"]);
        assert_eq!(identity.node.tpm.lockout_counter(), 0);
        identity.node.assert_tidy();
    }
}

/// Values that never come lock nobody out.
#[test]
fn a_wrong_prediction_locks_nobody_out() {
    let identity = Identity::new(AlgorithmId::Ed25519, false);
    let never = PcrValues::parse(&format!("sha256:\n 16 : 0x{}", "AB".repeat(32))).unwrap();
    identity.reseal(None, None, Some(&never)).unwrap();
    identity.open(None).unwrap();
    for wrong in [format!("sha256:\n 3 : 0x{}", "AB".repeat(32)), "sha1:\n 16 : 0x00".into()] {
        let wrong = PcrValues::parse(&wrong).unwrap();
        let refused = identity.reseal(None, None, Some(&wrong)).unwrap_err();
        assert_shows(refused, &["no such policy", "not configured"]);
    }
    identity.open(None).unwrap();
}

#[test]
fn a_pin_is_changed_by_sealing_anew() {
    let mut identity = Identity::new(AlgorithmId::Ed25519, true);
    identity.reseal(Some(PIN), Some("a-new-one"), None).unwrap();
    assert_shows(identity.open(Some(PIN)).unwrap_err(), &["refused the PIN"]);
    identity.open(Some("a-new-one")).unwrap();
    // Or given up, if the configuration says so.
    identity.config.pin = false;
    identity.reseal(Some("a-new-one"), None, None).unwrap();
    identity.open(None).unwrap();
    identity.node.assert_tidy();
}

#[test]
fn an_identity_moves_from_a_literal_to_an_authorized_policy() {
    let mut identity = Identity::new(AlgorithmId::Ed25519, false);
    let (private, public) = identity.node.approver("approver");
    identity.config = identity.node.authorized(&public);
    identity.reseal(None, None, None).unwrap();
    identity.open(None).unwrap();
    identity.node.tpm.extend_pcr(16);
    assert_shows(
        identity.open(None).unwrap_err(),
        &["PCR 16", "`Approval::sign`, then `TpmBackend::install`"],
    );
    let backend = identity.node.open(&identity.config);
    let header = identity.store.header().unwrap();
    let icn_identity::keystore::Storage::TpmSealed { object: storage } = header.storage() else {
        panic!("{:?}", header.storage())
    };
    let key = header.tpm().unwrap();
    let check = backend.check(header.did(), key, storage, None).unwrap();
    use icn_identity::backend::tpm::{Approval, ApproverKey};
    let approval =
        Approval::sign(&check.request.unwrap(), &ApproverKey::read(&private).unwrap()).unwrap();
    backend.install(&approval, header.did(), key, storage).unwrap();
    identity.open(None).unwrap();
}

/// To another storage key, when the configuration no longer pins the old one.
#[test]
fn an_identity_moves_to_another_storage_key() {
    let mut identity = Identity::new(AlgorithmId::Ed25519, true);
    let old = identity.store.header().unwrap().tpm().unwrap().parent.clone();
    let primary = identity.node.tpm.path("rsa.ctx");
    let primary = primary.to_str().unwrap().to_owned();
    identity.node.tpm.tool("tpm2_createprimary", &["-C", "o", "-G", "rsa", "-c", &primary]);
    identity.node.tpm.tool("tpm2_evictcontrol", &["-C", "o", "-c", &primary, "0x81000002"]);
    identity.node.tpm.tool("tpm2_flushcontext", &["-t"]);
    identity.config.key_handle = Some(0x8100_0002);
    identity.config.parent_name = Some(old.name.clone());
    let refused = identity.reseal(Some(PIN), Some(PIN), None).unwrap_err();
    assert_shows(refused, &["the storage key at 0x81000002 is", "remove `parent_name`"]);
    identity.open(Some(PIN)).unwrap();
    identity.config.parent_name = None;
    identity.reseal(Some(PIN), Some(PIN), None).unwrap();
    identity.open(Some(PIN)).unwrap();
    assert_ne!(identity.store.header().unwrap().tpm().unwrap().parent, old);
    identity.node.assert_tidy();
}

#[test]
fn a_p256_key_is_not_sealed_anew_and_says_why() {
    let identity = Identity::new(AlgorithmId::P256, false);
    let before = identity.read("identity.json");
    let refused = identity.reseal(None, None, None).unwrap_err();
    assert_shows(refused, &["a part of the key", "authorized"]);
    assert_eq!(identity.read("identity.json"), before);
    identity.open(None).unwrap();
}

/// A write of two files can be cut off between any two of its steps.
#[test]
fn a_reseal_that_was_cut_off_locks_nobody_out() {
    let mut identity = Identity::new(AlgorithmId::Ed25519, true);
    let old = (identity.read("identity.json"), identity.read("identity.age"));
    let coming = after_the_update(&identity.node);
    identity.reseal(Some(PIN), Some(PIN), Some(&coming)).unwrap();
    let new = (identity.read("identity.json"), identity.read("identity.age"));
    let lay = |identity: &Identity, header: &[u8], payload: &[u8]| {
        identity.write("identity.json", header);
        identity.write("identity.age", payload);
        identity.write("identity.json.prev", &old.0);
        identity.write("identity.age.prev", &old.1);
    };
    // Before the header was written: still the old state of the machine.
    lay(&identity, &old.0, &old.1);
    identity.open(Some(PIN)).unwrap();
    // After it, and then the machine starts with the new firmware: what was
    // begun is completed, since the old objects do not open any more.
    lay(&identity, &new.0, &old.1);
    identity.node.tpm.restart();
    identity.node.tpm.extend_pcr(16);
    identity.open(Some(PIN)).unwrap();
    assert!(!identity.has("identity.json.prev") && !identity.has("identity.age.prev"));
    identity.open(Some(PIN)).unwrap();
    // Only the objects are taken from what was begun.
    let mut forged: serde_json::Value = serde_json::from_slice(&new.0).unwrap();
    forged["evidence"]["assurance"] = "claimed".into();
    lay(&identity, &serde_json::to_vec(&forged).unwrap(), &old.1);
    identity.open(Some(PIN)).unwrap();
    assert_eq!(
        identity.store.header().unwrap().claimed_evidence().assurance(),
        Assurance::SoftToken
    );
    // After both.
    lay(&identity, &new.0, &new.1);
    identity.open(Some(PIN)).unwrap();
    assert_eq!(identity.node.tpm.lockout_counter(), 0);
    identity.node.assert_tidy();
}

#[test]
fn a_header_changed_by_hand_is_refused() {
    for algorithm in BOTH {
        let identity = Identity::new(algorithm, true);
        let good: serde_json::Value =
            serde_json::from_slice(&identity.read("identity.json")).unwrap();
        let other = Identity::new(algorithm, true);
        let foreign: serde_json::Value =
            serde_json::from_slice(&other.read("identity.json")).unwrap();
        let mut swapped = good.clone();
        swapped["locator"] = good["storage"]["object"].clone();
        let mut foreign_key = good.clone();
        foreign_key["locator"] = foreign["locator"].clone();
        let mut foreign_storage = good.clone();
        foreign_storage["storage"] = foreign["storage"].clone();
        let mut weaker = good.clone();
        weaker["locator"]["policy"]["pin"] = serde_json::Value::Null;
        let mut told = good.clone();
        told["evidence"]["assurance"] = "claimed".into();
        let mut bomb = good.clone();
        bomb["locator"]["policy"]["pin"]["log_n"] = 40.into();
        for (name, changed) in [
            ("swapped", swapped),
            ("foreign key", foreign_key),
            ("foreign storage", foreign_storage),
            ("weaker", weaker),
            ("told", told),
            ("bomb", bomb),
        ] {
            identity.write("identity.json", &serde_json::to_vec_pretty(&changed).unwrap());
            let refused = identity.open(Some(PIN)).unwrap_err();
            assert!(!shown(refused).is_empty(), "{name}");
            assert_eq!(identity.node.tpm.lockout_counter(), 0, "{name}");
        }
        identity.write("identity.json", &serde_json::to_vec_pretty(&good).unwrap());
        identity.node.assert_tidy();
    }
}

/// Decrypting what lies beside the seed does not bring the seed into memory.
#[test]
fn the_storage_key_opens_without_the_seed() {
    use icn_identity::backend::{StorageVault as _, WrappedKey};
    let identity = Identity::new(AlgorithmId::Ed25519, true);
    let header = identity.store.header().unwrap();
    let icn_identity::keystore::Storage::TpmSealed { object } = header.storage() else {
        panic!("{:?}", header.storage())
    };
    assert_ne!(Some(object.as_ref()), header.tpm());
    let wire = support::wire::Wire::new(&identity.node.tpm);
    let mut config = identity.config.clone();
    config.device_path = wire.tcti();
    let backend = identity.node.open(&config);
    wire.clear();
    let wrapped = WrappedKey::Tpm(object.clone());
    let credential = Credentials::pin(Pin::new(PIN));
    let opened = backend.unwrap(header.did(), &wrapped, &credential).unwrap();
    assert!(opened.expose_secret().starts_with("AGE-SECRET-KEY-1"));
    // (A TPM asks to send the first use of a PIN after its start again.)
    let mut names = wire.names();
    names.dedup();
    assert_eq!(names.iter().filter(|name| *name == "Unseal").count(), 1, "{names:?}");
    assert!(wire.contains(&object.private) && !wire.contains(&header.tpm().unwrap().private));
}

#[test]
fn a_bundle_of_a_sealed_key_is_no_hardware_bundle() {
    let identity = Identity::new(AlgorithmId::Ed25519, false);
    let backend = identity.node.open(&identity.config);
    let opened = identity.store.open(&backend, Pinned::Nobody, &Credentials::default()).unwrap();
    let refused = opened.bundle.into_static::<icn_identity::Hardware>().unwrap_err();
    let bundle = refused.into_key().into_static::<icn_identity::TpmSealed>().unwrap();
    assert_eq!(bundle.signer().provenance(), ProvenanceKind::TpmSealed);

    let identity = Identity::new(AlgorithmId::P256, false);
    let backend = identity.node.open(&identity.config);
    let opened = identity.store.open(&backend, Pinned::Nobody, &Credentials::default()).unwrap();
    let refused = opened.bundle.into_static::<icn_identity::Hardware>().unwrap_err();
    let said = refused.reason().to_string();
    assert!(said.contains("of ed25519 was demanded, this one's is hardware, of p256"), "{said}");
    let bundle = refused.into_key().into_static_p256::<icn_identity::Hardware>().unwrap();
    bundle.sign(b"hello").unwrap();
}
