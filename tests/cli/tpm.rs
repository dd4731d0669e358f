//! `icnctl` with a TPM (swtpm: a virtual one, and shown as one).

mod approvals;
pub(crate) mod approver;
#[cfg(feature = "attestation")]
mod attested;
mod config;
mod damage;
mod devices;
mod doctor;
mod moving;
pub(crate) mod node;
mod others;
mod pins;
pub(crate) mod quick;
mod reseal;
mod sendings;
mod shown;

use node::{BOTH, Node};
use serde_json::json;

#[test]
fn an_ed25519_identity_with_a_pin_survives_a_restart() {
    survives_a_restart("ed25519", true);
}

#[test]
fn an_ed25519_identity_without_a_pin_survives_a_restart() {
    survives_a_restart("ed25519", false);
}

#[test]
fn a_p256_identity_with_a_pin_survives_a_restart() {
    survives_a_restart("p256", true);
}

#[test]
fn a_p256_identity_without_a_pin_survives_a_restart() {
    survives_a_restart("p256", false);
}

fn survives_a_restart(algorithm: &str, pin: bool) {
    let more: &[&str] = if pin { &[] } else { &["--no-pin"] };
    let mut node = Node::new();
    let made = node.init(algorithm, more);
    let shown = node.home.show();
    node.signs();
    node.tpm.restart();
    assert_eq!(node.home.show(), shown);
    node.signs();

    let did = shown["did"].as_str().unwrap();
    assert!(made.starts_with(did), "{made}");
    assert!(made.contains("This TPM is a virtual one: for tests"), "{made}");
    let (start, provenance) = match algorithm {
        "p256" => ("did:key:zDn", "hardware"),
        _ => ("did:icn:z", "tpm-sealed"),
    };
    assert!(did.starts_with(start), "{did}");
    assert_eq!(shown["algorithm"], algorithm);
    assert_eq!(shown["backend"], "tpm");
    assert_eq!(shown["provenance"], provenance);
    assert_eq!(shown["assurance"], "soft-token");
    assert_eq!(shown["hardware_backed"], false);
    assert_eq!(shown["device"]["state"], "present");
    let evidence = json!({
        "fixed_tpm": true, "fixed_parent": true, "no_da": !pin, "user_with_auth": false,
        "sensitive_data_origin": algorithm == "p256",
    });
    assert_eq!(shown["evidence"], evidence);
    let policy = if pin { "sha256:16+pin" } else { "sha256:16" };
    assert_eq!(shown["locator"], format!("tpm2:parent=owner;policy={policy}"));
    assert_eq!(shown["tpm"]["policy"]["pin"].is_object(), pin);
    assert_eq!(shown["tpm"]["policy"]["pcr"][0]["values"]["16"], node.tpm.read_pcr(16));
    let text = node.ok(&["id", "show"]);
    assert!(text.contains("`icnctl tpm check` tells whether it opens this identity"), "{text}");
    let pin_line = if pin { "opens now, with its PIN (values as sealed)" } else { "opens now (" };
    let checked = node.ok(&["tpm", "check"]);
    assert_eq!(checked.matches(pin_line).count(), 2, "{checked}");
    assert_eq!(checked.contains("PIN tries    3 until the TPM locks"), pin, "{checked}");
}

/// The TPM gives either half of all signatures a high s.
#[test]
fn signatures_of_p256_have_a_low_s() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    // n / 2, rounded down (SEC 2, section 2.4.2).
    let half = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";
    let node = Node::with_identity("p256", &["--no-pin"]);
    for _ in 0..8 {
        let signature = STANDARD.decode(node.ok(&["sign"]).trim()).unwrap();
        assert_eq!(signature.len(), 64);
        let s: String = signature[32..].iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(s.as_str() <= half, "{s}");
    }
}

#[test]
fn with_its_tpm_switched_off_show_still_works_and_says_so() {
    for algorithm in BOTH {
        let mut node = Node::with_identity(algorithm, &[]);
        let did = node.home.show()["did"].clone();
        node.tpm.power_off();
        let shown = node.home.show();
        assert_eq!(shown["did"], did);
        assert_eq!(shown["device"]["state"], "unreachable");
        let text = node.home.ok(&["id", "show"], b"");
        assert!(text.contains("From the public header only; the TPM could not be asked"), "{text}");
        let absent = format!("there is no TPM at {}", node.tpm.tcti());
        for command in [&["sign"][..], &["tpm", "check"]] {
            node::quiet(&node.home.fails(command, b"hello", &[&absent, "device_path"]));
        }
        node.tpm.power_on();
        node.signs();
    }
}

#[test]
fn an_identity_is_never_overwritten_and_another_one_is_not_made_beside_a_pinned_did() {
    let node = Node::with_identity("ed25519", &[]);
    let (header, payload) =
        (node.home.read("identity.json"), std::fs::read(node.home.path("identity.age")).unwrap());
    node.fails(&["id", "init"], &["identity"]);
    assert_eq!(node.home.read("identity.json"), header);
    assert_eq!(std::fs::read(node.home.path("identity.age")).unwrap(), payload);
    for name in ["identity.json", "identity.age"] {
        std::fs::remove_file(node.home.path(name)).unwrap();
    }
    node.fails(&["id", "init"], &["pins did:icn:z", "but there is no such identity"]);
}

/// The key of an Ed25519 identity in a TPM *is* in its header.
#[test]
fn a_header_without_its_payload_is_never_lost() {
    let node = Node::with_identity("ed25519", &[]);
    let header = node.home.read("identity.json");
    std::fs::remove_file(node.home.path("identity.age")).unwrap();
    node.fails(&["sign"], &["identity.age is missing", "Keep identity.json"]);
    node.fails(&["id", "init"], &["pins did:icn:z", "but there is no such identity"]);
    assert_eq!(node.home.read("identity.json"), header);
    // Even when the pin was removed.
    let pinned = node.home.read("icn.toml");
    let lines: Vec<_> = pinned.lines().filter(|line| !line.starts_with("did = ")).collect();
    node.home.write("icn.toml", &lines.join("\n"));
    let ran = node.home.icnctl(&["id", "init"], b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("it is kept as"), "{}", ran.err);
    assert_ne!(node.home.read("identity.json"), header);
    let kept = std::fs::read_dir(node.home.path("")).unwrap().find_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_prefix("identity.json.").map(|_| node.home.read(&name))
    });
    assert_eq!(kept, Some(header));
}

/// Not even where a note claims that there never was more of it.
#[test]
fn a_note_does_not_have_the_header_of_a_tpm_removed() {
    let node = Node::with_identity("ed25519", &["--no-pin"]);
    let (header, did) = (node.home.read("identity.json"), node.home.show()["did"].clone());
    std::fs::remove_file(node.home.path("identity.age")).unwrap();
    let note = serde_json::json!({
        "format": "icn-identity-unfinished", "version": 1, "dids": [did],
    });
    node.home.write("unfinished.json", &note.to_string());
    node.home.ok(&["id", "init", "--no-pin"], b"");
    assert_ne!(node.home.show()["did"], did);
    assert_eq!(support::cut_off::kept(&node.home), [header]);
}
