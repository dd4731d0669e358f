//! Peers of an identity that has moved into a device.

use std::sync::Arc;

use icn_identity::home::{CredentialSource, Home};
use icn_identity::peer::Refusal;
use icn_identity::tls::{DidVerifier, refusal_of};
use icn_identity::{Did, DidKey, IdentityBundle};
use support::home::PASSPHRASE;
use support::swtpm::Swtpm;

use crate::wire::{Ended, handshake};
use crate::{anybody, bundle};

const PIN: &str = "a-pin-73519246";

/// A software identity, moved into a TPM: its DID of before, and what it is now.
fn moved(tpm: &Swtpm, home: &support::home::Home, mode: &str) -> Did {
    home.ok(&["id", "init"], b"");
    // Less work than a PIN has.
    let config = home.read("icn.toml");
    home.write("icn.toml", &format!("{config}\n[identity.tpm]\npin_work_factor = 10\n"));
    let old = home.show()["did"].as_str().unwrap().parse().unwrap();
    let to = ["id", "migrate", "--to", "tpm", "--device", &tpm.tcti(), "--pcr-indices", "16"]
        .map(str::to_owned);
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    home.ok(&[&to[..], &["--mode", mode, "--no-backup"]].concat(), b"");
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
fn a_peer_that_pinned_the_old_did_takes_an_import_at_once_and_follows_a_rotation() {
    for mode in ["import", "rotate"] {
        let tpm = Swtpm::start();
        let home =
            support::home::Home::new().with("ICN_PASSPHRASE", PASSPHRASE).with("ICN_PIN", PIN);
        let old = moved(&tpm, &home, mode);
        let now = Home::open(home.path("")).unwrap();
        let now = now.unlock(CredentialSource::given(PIN)).unwrap();
        let pinned = Arc::new(DidVerifier::pinned(old.clone()));
        assert_eq!(accepts(&pinned, &now.bundle), mode == "import", "{mode}");
        match now.rotation_chain().unwrap() {
            Some(chain) => {
                assert_eq!((mode, chain.follow(&old).unwrap()), ("rotate", now.bundle.did()));
                assert!(pinned.follow(&chain).unwrap());
                assert!(accepts(&pinned, &now.bundle));
            }
            None => assert_eq!((mode, now.bundle.did()), ("import", &old)),
        }
    }
}
