//! A key that is adopted: whether it had an identity before.

use support::dialects::{OPENSC_OPENPGP, OPENSC_PIV, YKCS11};
use support::home::{Home, PASSPHRASE, Ran};
use support::softhsm::SoftHsm;

const WARNING: &str = "gets a new X25519 key and a DID document of its own";

fn adopt(hsm: &SoftHsm, home: &Home, key: &str) -> Ran {
    let uri = format!("pkcs11:token=node-1;{key}?module-path={}", hsm.fault_module());
    let ran = home.icnctl(&["id", "init", "--key", &uri], b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran
}

fn home(hsm: &SoftHsm) -> Home {
    hsm.home().with("ICN_PASSPHRASE", PASSPHRASE)
}

#[test]
fn a_key_that_its_card_has_made_is_adopted_without_a_word_of_an_earlier_identity() {
    for (name, card) in [("ykcs11", YKCS11), ("piv", OPENSC_PIV), ("openpgp", OPENSC_OPENPGP)] {
        let hsm = SoftHsm::with_token("node-1");
        match name {
            "openpgp" => hsm.import("node-1", "there", "01"),
            _ => {
                let p256 = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
                hsm.import_made_by(&p256, "node-1", "there", "01")
            }
        };
        hsm.script(card);
        let home = home(&hsm);
        let ran = adopt(&hsm, &home, "object=there");
        assert!(!ran.err.contains(WARNING), "{name}: {}", ran.err);
        // Its files are lost, and the pin tells that there was one.
        for file in ["identity.json", "identity.age"] {
            std::fs::remove_file(home.path(file)).unwrap();
        }
        let ran = adopt(&hsm, &home, "object=there");
        assert!(ran.err.contains(WARNING), "{name}: {}", ran.err);
    }
}

/// Whoever adopts it a second time, from another home, has the storage key of the first
/// on the token.
#[test]
fn a_key_with_the_storage_key_of_an_identity_beside_it_is_adopted_with_a_warning() {
    for script in ["", "no-mechanism CKM_AES_GCM", "login-to-see"] {
        for label in ["theirs", ""] {
            let hsm = SoftHsm::with_token("node-1");
            let make = ["--keypairgen", "--key-type", "EC:edwards25519", "--id", "07"];
            hsm.pkcs11_tool_on("node-1", &[&make[..], &["--label", label]].concat());
            hsm.script(script);
            for again in [false, true] {
                let ran = adopt(&hsm, &home(&hsm), "id=%07");
                assert_eq!(ran.err.contains(WARNING), again, "{script} {label:?}: {}", ran.err);
            }
        }
    }
}

/// Without a storage key on the token: by the id that was given to it here.
#[test]
fn a_key_that_was_made_for_an_identity_is_adopted_with_a_warning() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("no-mechanism CKM_AES_GCM\nno-mechanism CKM_ECDH1_DERIVE");
    let first = home(&hsm);
    let module = hsm.fault_module();
    let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
    let ran = first.icnctl(&init, b"");
    assert!(ran.code == 0 && !ran.err.contains(WARNING), "{}", ran.err);
    let ran = adopt(&hsm, &home(&hsm), "object=icn-identity");
    assert!(ran.err.contains(WARNING), "{}", ran.err);
    assert!(ran.err.contains("restore a backup of it instead"), "{}", ran.err);
}
