//! A key that is on another token than before, whose public object is gone: each error names
//! the command that goes on.

use support::dialects::KRYOPTIC;
use support::home::{Home, PASSPHRASE};
use support::softhsm::{SoftHsm, count};

use super::half::delete;

/// The command that an error advises, by its words.
fn advised(err: &str) -> Vec<String> {
    let (_, rest) = err.split_once("icnctl id write-public-key --key '").unwrap();
    let (uri, rest) = rest.split_once('\'').unwrap();
    assert!(rest.contains("icnctl id relocate"), "{err}");
    ["id", "write-public-key", "--key", uri].map(str::to_owned).to_vec()
}

/// From what `sign` says to a node that signs, by what is said each time.
fn goes_on(hsm: &SoftHsm, home: &Home, token: &str) {
    home.fails(&["sign"], b"hello", &["id relocate"]);
    let (ran, calls) = hsm.calls(|| {
        let texts =
            ["no token has the key of", "id write-public-key", "--key 'pkcs11:token=LABEL'"];
        home.fails(&["id", "relocate"], b"", &texts)
    });
    assert_eq!(count(&calls, "C_Login"), 0, "{}", ran.err);
    let named = format!("pkcs11:token={token}");
    let half = ["has the private key with id ", ", and not its public key"];
    let ran = home.fails(&["id", "relocate", "--key", &named], b"", &half);
    let command = advised(&ran.err);
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    let (said, calls) = hsm.calls(|| home.ok(&command, b""));
    assert!(said.contains("is on the token") && said.contains("icnctl id relocate"), "{said}");
    assert_eq!((count(&calls, "C_Login"), count(&calls, "C_CreateObject")), (1, 1), "{calls:?}");
    home.ok(&["id", "relocate"], b"");
    home.ok(&["sign"], b"hello");
    home.ok(&["id", "show", "--check"], b"");
    // Again, nothing is written, and nothing is to be recorded.
    let said = home.ok(&["id", "write-public-key", "--key", &named], b"");
    assert!(said.contains("is on the token") && !said.contains("relocate"), "{said}");
}

#[test]
fn a_key_whose_token_has_another_serial_number_and_no_public_half_is_written_back() {
    for algorithm in ["ed25519", "p256"] {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.home();
        let module = hsm.fault_module();
        let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
        home.ok(&[&init[..], &["--algorithm", algorithm]].concat(), b"");
        delete(&hsm, "pubkey");
        // As it is restored from its own backup.
        hsm.script("serial 0042");
        goes_on(&hsm, &home, "node-1");
    }
}

/// By its label, where it has another id; and which it is, its signature proves.
#[test]
fn a_private_half_on_another_token_is_found_by_its_label() {
    let hsm = SoftHsm::with_token("node-1");
    // Nothing on the old token is wanted for the payload.
    let script = format!("{KRYOPTIC}\nno-mechanism CKM_AES_GCM\nno-mechanism CKM_ECDH1_DERIVE");
    hsm.script(&script);
    let key = hsm.import("node-1", "there", "01");
    let home = hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
    let uri = format!("pkcs11:token=node-1;object=there?module-path={}", hsm.fault_module());
    home.ok(&["id", "init", "--key", &uri], b"");
    hsm.token("node-2");
    let import = |file: &str, label: &str, id: &str| {
        let what = ["--import", file, "--token", "node-2", "--label", label, "--id", id];
        hsm.softhsm2_util(&[&what[..], &["--pin", support::softhsm::PIN]].concat());
        hsm.pkcs11_tool_on("node-2", &["--delete-object", "--type", "pubkey", "--id", id]);
    };
    import(key.to_str().unwrap(), "there", "02");
    for kind in ["pubkey", "privkey"] {
        hsm.pkcs11_tool_on("node-1", &["--delete-object", "--type", kind, "--id", "01"]);
    }
    // Another key, under the name that the identity's has.
    let other = hsm.path("other.pem");
    let make = ["genpkey", "-algorithm", "ed25519", "-out", other.to_str().unwrap()];
    hsm.run("openssl", &make);
    import(other.to_str().unwrap(), "other", "03");
    let wrong = ["id", "write-public-key", "--key", "pkcs11:token=node-2;object=other"];
    home.fails(&wrong, b"", &["is not that of did:", "another one of its kind"]);
    let none = ["id", "write-public-key", "--key", "pkcs11:token=node-2;object=nobody"];
    home.fails(&none, b"", &["has no key that pkcs11:"]);
    let ran = home.fails(&["id", "relocate", "--key", "pkcs11:token=node-2"], b"", &["with id 02"]);
    let command = advised(&ran.err);
    home.ok(&command.iter().map(String::as_str).collect::<Vec<_>>(), b"");
    home.ok(&["id", "relocate"], b"");
    home.ok(&["sign"], b"hello");
}
