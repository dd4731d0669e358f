//! Attestation of keys in a TPM, by `icnctl`.

use support::ek_maker::{EkMaker, RSA_INDEX};

use super::node::Node;

/// Asked for by `attestation` under `[identity.tpm]`; said by `id init` and `id show`, and no PIN is used.
#[test]
fn whether_this_tpm_can_be_attested_is_told_where_the_configuration_asks() {
    let node = Node::new();
    let quiet = node.init("p256", &[]);
    assert!(!quiet.contains("attested") && !node.ok(&["id", "show"]).contains("attested"));
    assert!(node.json(&["id", "show"])["attestation"].is_null());
    node.set("attestation", "true");
    let show = || (node.ok(&["id", "show"]), node.json(&["id", "show"])["attestation"].clone());
    let (text, json) = show();
    assert!(text.contains("cannot be attested: the TPM holds no certificate"), "{text}");
    assert!(text.contains("  try: ask the maker"), "{text}");
    assert_eq!((&json["possible"], &json["ek_certificates"]), (&false.into(), &[""; 0].into()));
    node.tpm.store(RSA_INDEX, &[0x30]);
    let (text, json) = show();
    assert!(text.contains("The TPM holds certificates of: RSA-2048."), "{text}");
    assert_eq!(json["ek_certificates"], serde_json::json!(["RSA-2048"]));
    EkMaker::new().endorse(&node.tpm);
    let (text, json) = show();
    assert!(text.contains("The TPM can be attested: it holds its maker's certificate"), "{text}");
    assert_eq!(json["possible"], true);
    assert_eq!(json["ek_certificates"], serde_json::json!(["P-256", "RSA-2048"]));

    let node = Node::new();
    EkMaker::new().endorse(&node.tpm);
    node.set("attestation", "true");
    let made = node.init("p256", &[]);
    assert!(made.contains("The TPM can be attested"), "{made}");
    let node = Node::new();
    EkMaker::new().endorse(&node.tpm);
    node.set("attestation", "true");
    let made = node.init("ed25519", &[]);
    assert!(made.contains("cannot be attested: an Ed25519 key is sealed data"), "{made}");
    assert!(made.contains("a P-256 key, which is born in the TPM"), "{made}");
}
