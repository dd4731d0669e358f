//! Signatures for a context, with OpenSSH on the other side.

use icn_identity::{
    DidKey, DidSigner, IdentityBundle, Key, Software, SshSignature, Unlocked, VerifyingKey,
};
use support::ssh_keygen;

const CONTEXT: &str = "payments@coop.example";

fn openssh_agrees(key: &VerifyingKey, signature: &SshSignature) {
    key.verify_for(CONTEXT, b"100 to Ada", signature).unwrap();
    let (public, text) = (key.to_openssh(), signature.to_string());
    assert!(ssh_keygen::verifies(&public, CONTEXT, b"100 to Ada", &text));
    assert!(!ssh_keygen::verifies(&public, CONTEXT, b"100 to Eve", &text));
    assert!(!ssh_keygen::verifies(&public, "login", b"100 to Ada", &text));
}

#[test]
fn openssh_verifies_what_every_signer_signs_for_a_context() {
    let software = || Key::<Software, Unlocked>::generate().unwrap();
    let agrees = |signer: &dyn DidSigner| {
        let signature = signer.sign_for(CONTEXT, b"100 to Ada").unwrap();
        openssh_agrees(signer.verifying_key(), &signature);
    };
    agrees(&software());
    agrees(&DidKey::from(software()));
    let boxed: Box<dyn DidSigner> = Box::new(software());
    agrees(&boxed);
    agrees(&super::foreign::external_p256());
    let bundle = IdentityBundle::issue(software()).unwrap();
    openssh_agrees(bundle.verifying_key(), &bundle.sign_for(CONTEXT, b"100 to Ada").unwrap());
}

/// Numbers of every length: `r` and `s` lose their zeros in SSH's encoding.
#[test]
fn a_p256_signature_of_every_length_goes_round() {
    let key = super::foreign::external_p256();
    let mut lengths = std::collections::BTreeSet::new();
    for number in 0..600_u32 {
        let message = number.to_be_bytes();
        let signature = key.sign_for(CONTEXT, &message).unwrap();
        lengths.insert(signature.to_bytes().len());
        let read: SshSignature = signature.to_string().parse().unwrap();
        DidSigner::verifying_key(&key).verify_for(CONTEXT, &message, &read).unwrap();
    }
    assert!(lengths.len() >= 3, "{lengths:?}");
}

#[test]
fn what_openssh_signs_is_verified_here() {
    for key_type in ["ed25519", "ecdsa"] {
        let (line, signature) = ssh_keygen::signs(key_type, CONTEXT, b"100 to Ada");
        let signature: SshSignature = signature.parse().unwrap();
        let key = *signature.claimed_key();
        assert!(line.starts_with(&key.to_openssh()), "{line}");
        assert_eq!(signature.claimed_context(), CONTEXT);
        key.verify_for(CONTEXT, b"100 to Ada", &signature).unwrap();
        key.verify_for(CONTEXT, b"100 to Eve", &signature).unwrap_err();
        key.verify_for("login", b"100 to Ada", &signature).unwrap_err();
    }
}
