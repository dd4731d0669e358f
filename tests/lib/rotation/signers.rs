//! Signers of every kind, in every pair. In a process of its own: SoftHSM
//! reads its configuration when it is loaded, and the TPM's sockets must not be
//! inherited by what other tests start.

use std::os::unix::fs::PermissionsExt as _;

use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::tpm::TpmBackend;
use icn_identity::backend::{Backend, Credentials, NewKey};
use icn_identity::config::{PcrIndices, Pkcs11Config, TpmConfig};
use icn_identity::{AlgorithmId, Assurance, DidKey, Pin, ProvenanceKind};
use support::softhsm::{PIN, alone, module};
use support::swtpm::Swtpm;

use super::*;

fn create(backend: &dyn Backend, algorithm: AlgorithmId, pin: Pin) -> DidKey {
    let request =
        NewKey::default().with_algorithm(algorithm).with_label(Some(algorithm.as_str().to_owned()));
    backend.create(&request, &Credentials::pin(pin)).unwrap().key
}

#[test]
fn every_pair_of_signers_rotates_and_says_what_its_keys_are() {
    alone(|hsm| {
        hsm.token("node-1");
        let tpm = Swtpm::start();
        let home = tempfile::tempdir().unwrap();
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(home.path(), private).unwrap();
        let mut config = TpmConfig::new(tpm.tcti());
        config.pcr_indices = PcrIndices::new([16]).unwrap();
        config.pin = false;
        let tpm = TpmBackend::open(home.path(), &config).unwrap();
        let token = Pkcs11Config::new(module()).with_token("node-1");
        let token = Pkcs11Backend::open(&token).unwrap();

        use AlgorithmId::{Ed25519, P256};
        use Assurance::{None, SoftToken};
        use ProvenanceKind::{Hardware, Software, TpmSealed};
        let keys: Vec<(DidKey, ProvenanceKind, Assurance)> = vec![
            (DidKey::from(software()), Software, None),
            (create(&token, Ed25519, Pin::new(PIN)), Hardware, SoftToken),
            (create(&tpm, Ed25519, Pin::none()), TpmSealed, SoftToken),
            (create(&token, P256, Pin::new(PIN)), Hardware, SoftToken),
            (create(&tpm, P256, Pin::none()), Hardware, SoftToken),
            (DidKey::from(software()), Software, None),
        ];
        for (old, old_provenance, old_assurance) in &keys {
            for (new, new_provenance, new_assurance) in &keys {
                if old.did() == new.did() {
                    continue;
                }
                let chain = first(old, new);
                let read = RotationChain::from_json(&chain.to_json()).unwrap();
                assert_eq!(read, chain);
                let statement = &statements(&read)[0];
                let (from, to) = (statement.old(), statement.new_key());
                assert_eq!((from.did(), to.did()), (old.did(), new.did()));
                let said = (
                    from.claimed_provenance(),
                    from.claimed_assurance(),
                    to.claimed_provenance(),
                    to.claimed_assurance(),
                );
                let known = (*old_provenance, *old_assurance, *new_provenance, *new_assurance);
                assert_eq!(said, known, "{} to {}", old.did(), new.did());
            }
        }
        // One chain through all of them, each committing to the one after next.
        let mut chain = Option::<RotationChain>::None;
        for (index, pair) in keys.windows(2).enumerate() {
            let terms =
                keys.get(index + 2).map_or_else(terms, |(after, ..)| committing_to(after.did()));
            let statement =
                RotationStatement::sign_unguarded(&pair[0].0, &pair[1].0, chain.as_ref(), &terms)
                    .unwrap();
            chain = Some(match chain {
                Some(chain) => chain.continued(statement).unwrap(),
                Option::None => RotationChain::verify([statement]).unwrap(),
            });
        }
        let chain = RotationChain::from_json(&chain.unwrap().to_json()).unwrap();
        assert_eq!(chain.statements().count(), 5);
        assert_eq!(chain.steps().filter(|step| step.was_committed()).count(), 4);
        for (key, ..) in &keys {
            assert_eq!(chain.follow(key.did()).unwrap(), keys[5].0.did());
        }
    });
}
