use super::*;
use crate::key::{Key, Software, Unlocked};
use crate::signer::DidSigner as _;

fn signed() -> (Key<Software, Unlocked>, SshSignature) {
    let key = Key::generate().unwrap();
    let signature = key.sign_for("payments@coop.example", b"100 to Ada").unwrap();
    (key, signature)
}

#[test]
fn a_signature_is_for_its_context_message_and_key_only() {
    let (key, signature) = signed();
    let verifies = |context, message: &[u8]| {
        key.verifying_key().verify_for(context, message, &signature).is_ok()
    };
    assert!(verifies("payments@coop.example", b"100 to Ada"));
    assert!(!verifies("payments@coop.example", b"100 to Eve"));
    for context in ["", "payments", "payments@coop.example ", "Payments@coop.example"] {
        assert!(!verifies(context, b"100 to Ada"), "{context}");
    }
    let (other, _) = signed();
    let refused = other.verifying_key();
    assert!(refused.verify_for("payments@coop.example", b"100 to Ada", &signature).is_err());
}

/// The context is in what is signed, and not only beside it.
#[test]
fn a_context_that_is_written_over_does_not_verify() {
    let (key, mut signature) = signed();
    signature.context = "login".into();
    assert!(key.verifying_key().verify_for("login", b"100 to Ada", &signature).is_err());
}

#[test]
fn contexts_that_are_none_are_refused_before_anything_is_signed() {
    let (key, _) = signed();
    let long = "x".repeat(MAX_CONTEXT + 1);
    for context in ["", "a\nb", "a\0b", "\u{85}", &long] {
        let refused = key.sign_for(context, b"").unwrap_err();
        assert!(refused.help().is_some_and(|help| help.contains("payments")), "{context:?}");
    }
    key.sign_for(&"x".repeat(MAX_CONTEXT), b"").unwrap();
}

#[test]
fn text_and_bytes_go_round_and_no_change_verifies() {
    let (key, signature) = signed();
    let text = signature.to_string();
    assert!(text.lines().all(|line| line.len() <= 70), "{text}");
    assert_eq!(text.parse::<SshSignature>().unwrap(), signature);
    assert_eq!(text.replace('\n', "\r\n").parse::<SshSignature>().unwrap(), signature);
    let bytes = signature.to_bytes();
    assert_eq!(SshSignature::from_bytes(&bytes).unwrap(), signature);
    for length in 0..bytes.len() {
        SshSignature::from_bytes(&bytes[..length]).unwrap_err();
    }
    let longer = [&bytes[..], &[0]].concat();
    SshSignature::from_bytes(&longer).unwrap_err();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(changed) = SshSignature::from_bytes(&changed) {
            let key = key.verifying_key();
            let verified = key.verify_for("payments@coop.example", b"100 to Ada", &changed);
            assert!(verified.is_err(), "bit {bit}");
        }
    }
}

#[test]
fn other_texts_are_refused_by_name() {
    let (_, signature) = signed();
    let read = |text: &str| text.parse::<SshSignature>().unwrap_err();
    assert_eq!(read(""), InvalidSshSignature::Armor);
    assert_eq!(read("-----BEGIN PGP SIGNATURE-----"), InvalidSshSignature::Armor);
    assert_eq!(read(&"x".repeat(MAX_LEN + 1)), InvalidSshSignature::TooLong);
    let mut bytes = signature.to_bytes();
    bytes[9] = 2;
    let refused = SshSignature::from_bytes(&bytes).unwrap_err();
    assert_eq!(refused, InvalidSshSignature::Version { found: 2 });
    let rsa = read(include_str!("rsa.sig"));
    assert_eq!(rsa, InvalidSshSignature::Key);
}
