//! Peers of an identity that has moved into a device.

use std::sync::Arc;

use icn_identity::home::{CredentialSource, Home};
use icn_identity::peer::Refusal;
use icn_identity::tls::{DidVerifier, refusal_of};
use icn_identity::{Did, DidKey, IdentityBundle};
use support::home::PASSPHRASE;
use support::softhsm::{self, alone, module};
use support::swtpm::Swtpm;

use crate::wire::{Ended, handshake};
use crate::{anybody, bundle};

const PIN: &str = "a-pin-73519246";

/// A software identity, moved into a device: its DID of before.
fn moved(home: &support::home::Home, to: &[&str], mode: &str) -> Did {
    home.ok(&["id", "init"], b"");
    // Less work than a PIN has.
    let config = home.read("icn.toml");
    home.write("icn.toml", &format!("{config}\n[identity.tpm]\npin_work_factor = 10\n"));
    let old = home.show()["did"].as_str().unwrap().parse().unwrap();
    let how = ["--mode", mode, "--no-backup"];
    home.ok(&[&["id", "migrate", "--to"], to, &how].concat(), b"");
    old
}

fn accepts(verifier: &Arc<DidVerifier>, server: &IdentityBundle<DidKey>) -> bool {
    let client = bundle().tls_client(verifier).unwrap();
    let server_config = Arc::new(server.tls_server_config(&anybody()).unwrap());
    match handshake(&server_config, &(&client, server.did())) {
        Ok((_, client)) => {
            client.peer().unwrap();
            true
        }
        Err(Ended::ByClient(error)) => {
            let refusal = refusal_of(&error).unwrap();
            assert!(matches!(refusal, Refusal::NotExpected { .. }), "{refusal}");
            false
        }
        Err(ended) => panic!("{ended:?}"),
    }
}

#[test]
fn a_peer_that_pinned_the_old_did_takes_an_import_into_a_tpm_at_once_and_follows_a_rotation() {
    for mode in ["import", "rotate"] {
        let tpm = Swtpm::start();
        let home =
            support::home::Home::new().with("ICN_PASSPHRASE", PASSPHRASE).with("ICN_PIN", PIN);
        let to = ["tpm", "--device", &tpm.tcti(), "--pcr-indices", "16"];
        let old = moved(&home, &to, mode);
        is_met(&home, PIN, &old, mode);
    }
}

#[test]
fn a_peer_that_pinned_the_old_did_takes_an_import_into_a_token_at_once_and_follows_a_rotation() {
    alone(|hsm| {
        let modes = ["import", "rotate"];
        // First: a module that is loaded does not see tokens that come later.
        modes.iter().for_each(|mode| hsm.token(mode));
        for mode in modes {
            let home = hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
            let to = ["pkcs11", "--module", module(), "--token", mode];
            let old = moved(&home, &to, mode);
            is_met(&home, softhsm::PIN, &old, mode);
        }
    });
}

/// By a peer that knows the DID of before.
fn is_met(home: &support::home::Home, pin: &str, old: &Did, mode: &str) {
    let now = Home::open(home.path("")).unwrap();
    let now = now.unlock(CredentialSource::given(pin)).unwrap();
    let pinned = Arc::new(DidVerifier::pinned(old.clone()));
    assert_eq!(accepts(&pinned, &now.bundle), mode == "import", "{mode}");
    match now.rotation_chain().unwrap() {
        Some(chain) => {
            assert_eq!((mode, chain.follow(old).unwrap()), ("rotate", now.bundle.did()));
            assert!(pinned.follow(&chain).unwrap());
            assert!(accepts(&pinned, &now.bundle));
        }
        None => assert_eq!((mode, now.bundle.did()), ("import", old)),
    }
}
