//! What P-256 keys are, and what they sign.

use std::fs;
use std::process::Command;

use icn_identity::backend::Backend as _;
use icn_identity::error::{DeviceError, OpenError, Pkcs11Error};
use icn_identity::{
    AlgorithmId, DidKey, DidMethod, DidSigner, Ed25519, Error, Hardware, IdentityBundle, Key,
    NeverExposed, P256, Pin, Requirement, Sealed, SealedKey, Signature, Unlocked, VerifyingKey,
};
use support::der::{ecdsa_signature, p256_spki};
use support::softhsm::{PIN, SoftHsm, alone, count};

use super::{generate, new_key};
use crate::{TOKEN, assert_shows, backend, config, faulty, find, pin};

/// Half of the group's order.
const HALF: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];

/// Whether OpenSSL takes the signature, as DER, over the SHA-256 of a message.
fn openssl_verifies(hsm: &SoftHsm, key: &VerifyingKey, message: &[u8], signed: &Signature) -> bool {
    let VerifyingKey::P256(key) = key else { panic!("{key:?}") };
    let (spki, der) = (p256_spki(&key.to_uncompressed()), ecdsa_signature(signed.as_bytes()));
    let file = |name: &str, bytes: &[u8]| {
        let path = hsm.path(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-keyform", "DER", "-verify"]).arg(file("key.der", &spki));
    openssl.arg("-signature").arg(file("signature.der", &der)).arg(file("message", message));
    openssl.output().unwrap().status.success()
}

#[test]
fn openssl_verifies_what_a_p256_key_signs() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (key, _) = generate(&backend());
        assert!(key.did().as_str().starts_with("did:key:zDn"), "{}", key.did());
        let signature = key.sign(b"hello").unwrap();
        assert_eq!(signature.algorithm(), AlgorithmId::P256);
        assert!(openssl_verifies(hsm, key.verifying_key(), b"hello", &signature));
        assert!(!openssl_verifies(hsm, key.verifying_key(), b"hullo", &signature));
    });
}

/// Half of what a token gives is the higher one.
#[test]
fn a_p256_signature_is_always_the_lower_one() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for verify in [true, false] {
            let config = config().with_verify_after_sign(verify);
            let backend = icn_identity::backend::pkcs11::Pkcs11Backend::open(&config).unwrap();
            let request = new_key().with_label(Some(format!("verified {verify}")));
            let key = backend.create(&request, &pin()).unwrap().key;
            for number in 0..40_u8 {
                let signature = key.sign(&[number]).unwrap();
                assert!(signature.as_bytes()[32..] <= HALF[..], "{signature:?}");
                key.verifying_key().verify_strict(&[number], &signature).unwrap();
            }
        }
    });
}

#[test]
fn numbers_that_are_no_signature_are_an_error_and_not_tried_again() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (key, _) = generate(&faulty(hsm));
        hsm.script("on C_Sign all zero");
        let (error, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
        assert_shows(error, &["C_Sign failed", "r or s of the signature is out of range"]);
        assert_eq!(count(&calls, "C_Sign"), 1, "{calls:?}");
        hsm.script("");
        key.sign(b"hello").unwrap();
    });
}

#[test]
fn a_bundle_over_a_p256_key_knows_its_type() {
    fn treasury<S: DidSigner + NeverExposed>(bundle: &IdentityBundle<S>) -> &S {
        bundle.signer()
    }
    alone(|hsm| {
        hsm.token(TOKEN);
        let (key, _) = generate(&backend());
        let bundle: IdentityBundle<Key<Hardware, Unlocked, P256>> =
            IdentityBundle::issue(key).unwrap();
        let signature = bundle.sign(b"hello").unwrap();
        treasury(&bundle).verifying_key().verify_strict(b"hello", &signature).unwrap();
        assert!(Requirement::any().never_exposed().check(treasury(&bundle)).is_ok());
    });
}

#[test]
fn a_key_of_another_algorithm_than_demanded_is_given_back() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = backend();
        let (key, locator) = generate(&backend);
        let did = key.did().clone();
        drop(key);
        let p256 = || find(&backend, &locator, &did).unwrap();

        let refused = p256().demand_hardware().unwrap_err();
        let reason = refused.reason();
        assert!(matches!(reason, OpenError::WrongAlgorithm { .. }), "{reason:?}");
        let refused = refused.into_key().demand_device_held().unwrap_err();
        let sealed: Key<Hardware, Sealed, P256> = refused.into_key().try_into().unwrap();
        let opened = sealed.unseal(&Pin::new(PIN)).unwrap();
        let erased = DidKey::from(opened);
        let wrong = Key::<Hardware, Unlocked, Ed25519>::try_from(erased).unwrap_err();
        assert!(wrong.to_string().contains("ed25519"), "{wrong}");
        Key::<Hardware, Unlocked, P256>::try_from(wrong.into_key()).unwrap();

        let request = icn_identity::backend::NewKey::new(DidMethod::Icn);
        let made = backend.create(&request.with_label(Some("other".into())), &pin()).unwrap();
        let icn_identity::backend::Locator::Pkcs11(at) = &made.locator else { panic!() };
        let sealed: SealedKey = find(&backend, at, made.key.did()).unwrap();
        let refused = Key::<Hardware, Sealed, P256>::try_from(sealed).unwrap_err();
        refused.into_key().demand_hardware().unwrap().unseal(&Pin::new(PIN)).unwrap();
    });
}

#[test]
fn a_token_without_p256_is_told_with_what_it_has() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for missing in ["CKM_ECDSA", "CKM_EC_KEY_PAIR_GEN"] {
            hsm.script(&format!("no-mechanism {missing}"));
            let (error, calls) = hsm.calls(|| faulty(hsm).create(&new_key(), &pin()).unwrap_err());
            assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
            assert!(
                matches!(
                    error,
                    Error::Device(DeviceError::Pkcs11(Pkcs11Error::NoMechanism {
                        algorithm: AlgorithmId::P256,
                        ..
                    }))
                ),
                "{error:?}"
            );
            assert_shows(error, &["token node-1 has no P-256", "CKM_EDDSA", "use a token with"]);
        }
        // No Ed25519 is needed for it.
        hsm.script("no-mechanism CKM_EDDSA\nno-mechanism CKM_EC_EDWARDS_KEY_PAIR_GEN");
        let (key, _) = generate(&faulty(hsm));
        key.seal().unseal(&Pin::new(PIN)).unwrap().sign(b"hello").unwrap();
    });
}
