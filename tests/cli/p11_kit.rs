//! `icnctl` with p11-kit's client as it is: the token is in another process, and that of
//! p11-kit's server.

use serde_json::{Value, json};
use support::home::{Home, PASSPHRASE, openssl_verifies, run};
use support::p11_kit::{P11KitServer, client};
use support::softhsm::{PIN, SoftHsm, module};
use support::tpm2_pkcs11::{self, Tpm2Token};

fn signs(home: &Home) {
    let signature = home.ok(&["sign"], b"hello");
    let shown = home.show();
    let key = shown["public_key"]["hex"].as_str().unwrap();
    assert!(openssl_verifies(&home.beside(""), key, b"hello", signature.trim()));
}

/// It passes neither EdDSA on nor AES-GCM nor ECDH: P-256, and a passphrase beside the PIN.
fn goes_through(server: &P11KitServer, more: &[&str], provenance: &str) {
    let home = server.home().with("ICN_PIN", PIN).with("ICN_PASSPHRASE", PASSPHRASE);
    let client = client();
    let on = ["--module", &client, "--token", "node-1"];
    home.ok(&[&["id", "init", "--backend", "pkcs11"][..], &on, more].concat(), b"");
    let shown = home.show();
    assert_eq!(shown["provenance"], provenance);
    assert_eq!(shown["assurance"], "soft-token");
    assert_eq!(shown["hardware_backed"], false);
    assert_eq!(shown["storage"], "passphrase");
    signs(&home);

    for texts in ["refused the PIN; it was tried once", "was not sent again"] {
        let ran = run(home.command(&["sign"]).env("ICN_PIN", "11112222"), b"hello");
        assert!(ran.code == 77 && ran.err.contains(texts), "{} {}", ran.code, ran.err);
    }
    let signed = home.ok(&["--retry-pin", "sign"], b"hello");
    assert!(!signed.is_empty());
    for how in ["--probe", "--probe-with-lasting-key"] {
        let report = home.ok(&["--format", "json", "backend", "doctor", how], b"");
        let report: Value = serde_json::from_str(&report).unwrap();
        let conclusion = report["conclusion"].as_str().unwrap();
        assert!(conclusion.contains("identity works here"), "{report}");
    }
    signs(&home);
}

#[test]
fn p11_kits_client_goes_the_whole_way_with_softhsm_behind_it() {
    let hsm = SoftHsm::with_token("node-1");
    let make = ["--keypairgen", "--key-type", "EC:prime256v1", "--usage-sign", "--id", "07"];
    hsm.pkcs11_tool_on("node-1", &[&make[..], &["--label", "theirs"]].concat());
    let conf = hsm.conf().display().to_string();
    let server = P11KitServer::start(module(), "node-1", [("SOFTHSM2_CONF", conf)]);
    let before = hsm.objects("node-1");
    let home = server.home().with("ICN_PIN", PIN);
    let doctor = ["--format", "json", "backend", "doctor", "--probe-with-lasting-key", "--module"];
    let report = home.ok(&[&doctor[..], &[&client()]].concat(), b"");
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["not_tried"], json!([]), "{report}");
    assert_eq!(hsm.objects("node-1"), before, "the probe has left something");
    goes_through(&server, &["--key", "pkcs11:object=theirs"], "hardware");
    goes_through(&server, &["--algorithm", "p256", "--key-label", "made"], "hardware");
}

/// p11-kit gives another name than the library has; the TPM is a virtual one all the same.
#[test]
fn a_virtual_tpm_behind_tpm2_pkcs11_behind_p11_kits_client_does_not_claim_to_be_hardware() {
    let token = Tpm2Token::new("node-1");
    let server = P11KitServer::start(tpm2_pkcs11::module(), "node-1", token.variables());
    goes_through(&server, &["--algorithm", "p256"], "device-held");
}

/// No token, and no error of the module.
#[test]
fn a_client_without_its_server_says_that_no_token_is_there() {
    let hsm = SoftHsm::with_token("node-1");
    let conf = hsm.conf().display().to_string();
    let server = P11KitServer::start(module(), "node-1", [("SOFTHSM2_CONF", conf)]);
    let home = server.home().with("ICN_PIN", PIN);
    drop(server);
    home.write(
        "icn.toml",
        &format!("[identity]\nbackend = \"pkcs11\"\n[identity.pkcs11]\nmodule = \"{}\"\ntoken = \"node-1\"\n", client()),
    );
    let doctor = home.icnctl(&["backend", "doctor"], b"");
    let (_, verdicts) = doctor.out.split_once("\nVerdict\n").unwrap();
    assert!(verdicts.contains("out of reach: the server of p11-kit's client"), "{verdicts}");
    assert!(verdicts.contains("P11_KIT_SERVER_ADDRESS"), "{verdicts}");
    assert!(!verdicts.contains("plug") && !verdicts.contains("initialise"), "{verdicts}");
    std::fs::remove_file(home.path("icn.toml")).unwrap();
    let init = ["id", "init", "--backend", "pkcs11", "--algorithm", "p256", "--module", &client()];
    home.fails(
        &[&init[..], &["--token", "node-1"]].concat(),
        b"",
        &["no token matches", "P11_KIT_SERVER_ADDRESS"],
    );
}
