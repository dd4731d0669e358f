//! Identities that are renewed while their key is open in the TPM.

use icn_identity::IdentityBundle;
use icn_identity::bundle::Renewal;
use icn_identity::keystore::{IdentityStore, Pinned};
use support::wire::Wire;

use super::*;

/// A TPM has no room for a P-256 key that is opened a second time: what is open signs.
#[test]
fn an_identity_is_renewed_while_it_is_open_without_its_pin_and_another_object() {
    for algorithm in BOTH {
        for pin in [false, true] {
            let mut node = Node::new();
            let wire = Wire::new(&node.tpm);
            let mut config = node.config();
            (config.pin, config.device_path) = (pin, wire.tcti());
            let backend = node.open(&config);
            let store = IdentityStore::new(node.home());
            let request = NewKey::new(DidMethod::Icn).with_algorithm(algorithm);
            let credentials = || Credentials::pin(pin_of(&config));
            drop(store.create(&backend, &request, &credentials()).unwrap());
            let bundle = store.open(&backend, Pinned::Nobody, &credentials()).unwrap().bundle;
            let objects = || (node.tpm.transients(), node.tpm.sessions());
            let open = objects();
            let born = algorithm == AlgorithmId::P256;
            assert_eq!(open, if born { (1, 1) } else { (0, 0) });

            let (first, due) = (bundle.binding(), bundle.renewal_due_at());
            wire.clear();
            assert_eq!(bundle.renew_if_due(due).unwrap(), Renewal::Renewed);
            bundle.renew().unwrap();
            let sent = wire.names();
            let allowed =
                ["Sign", "PolicyPCR", "PolicyAuthValue", "PolicyRestart", "PolicyGetDigest"];
            assert!(sent.iter().all(|name| allowed.contains(&&**name)), "{sent:?}");
            let signed = sent.iter().filter(|name| *name == "Sign").count();
            assert_eq!(signed, if born { 2 } else { 0 }, "{sent:?}");
            assert_eq!(objects(), open);
            assert_eq!(node.tpm.lockout_counter(), 0);

            let written = store.header().unwrap();
            assert_eq!(written.binding(), Some(bundle.binding()));
            assert_eq!(written.generation(), 3);
            assert!(bundle.binding().number() > first.number());
            bundle.sign(b"hello").unwrap();
            // The next process finds it.
            drop(bundle);
            drop((backend, wire));
            node.tpm.restart();
            config.device_path = node.tpm.tcti();
            let again = reopened(&node, &config, &store);
            assert_eq!(written.binding(), Some(again.binding()));
            again.renew().unwrap();
            drop(again);
            node.assert_tidy();
        }
    }
}

fn reopened(node: &Node, config: &TpmConfig, store: &IdentityStore) -> IdentityBundle<DidKey> {
    let credentials = Credentials::pin(pin_of(config));
    store.open(&node.open(config), Pinned::Nobody, &credentials).unwrap().bundle
}

/// What another process has sealed anew meanwhile stays as that has written it.
#[test]
fn what_was_sealed_anew_meanwhile_is_not_sealed_back() {
    let node = Node::new();
    let mut config = node.config();
    let store = IdentityStore::new(node.home());
    let request = NewKey::new(DidMethod::Icn);
    drop(store.create(&node.open(&config), &request, &Credentials::default()).unwrap());
    let bundle = reopened(&node, &config, &store);
    config.pin = true;
    let backend = node.open(&config);
    drop(
        store
            .reseal(&backend, Pinned::Nobody, &Credentials::default(), &Pin::new(PIN), None)
            .unwrap(),
    );
    let resealed = store.header().unwrap();
    bundle.renew().unwrap();
    let header = store.header().unwrap();
    assert_eq!(header.tpm(), resealed.tpm());
    assert_eq!(header.storage(), resealed.storage());
    assert_eq!(header.generation(), resealed.generation() + 1);
    assert_eq!(header.binding(), Some(bundle.binding()));
    assert_eq!(reopened(&node, &config, &store).binding(), bundle.binding());
    node.assert_tidy();
}
