//! PINs and the TPM's dictionary-attack counter: a try is spent by a wrong PIN
//! and by nothing else.

use icn_identity::DidSigner as _;
use icn_identity::error::{DeviceError, OpenError, TpmError};

use super::*;

fn tpm_error(reason: &OpenError) -> &TpmError {
    match reason {
        OpenError::Device(DeviceError::Tpm(error)) => error,
        OpenError::Challenge(icn_identity::error::SignError::Device(DeviceError::Tpm(error))) => {
            error
        }
        other => panic!("{other:?}"),
    }
}

/// None at all, an empty one, one that is to be entered elsewhere; and a wrong one says how
/// many tries are left.
#[test]
fn what_is_no_pin_of_a_tpm_costs_no_try() {
    for algorithm in BOTH {
        let node = Node::new();
        let config = node.with_pin();
        let backend = node.open(&config);
        let (key, locator) = create(&backend, &config, algorithm);
        let did = key.did().clone();
        drop(key);
        let refused = find(&backend, &locator, &did).unseal(&Pin::new(WRONG)).unwrap_err();
        assert!(matches!(
            tpm_error(refused.reason()),
            TpmError::WrongPin { tries_left: Some(2), .. }
        ));
        let refused = refused.into_key().unseal(&Pin::new(WRONG)).unwrap_err();
        assert!(matches!(tpm_error(refused.reason()), TpmError::PinKnownWrong));
        let mut key = refused.into_key();
        for pin in [Pin::none(), Pin::new(""), Pin::at_pin_pad()] {
            let refused = key.unseal(&pin).unwrap_err();
            assert!(matches!(
                tpm_error(refused.reason()),
                TpmError::PinMissing | TpmError::PinUnusable { .. }
            ));
            key = refused.into_key();
        }
        assert_eq!(node.tpm.lockout_counter(), 1);
        key.unseal(&Pin::new(PIN)).unwrap();
        node.assert_tidy();
    }
}

#[test]
fn the_last_try_is_kept_and_a_lock_out_is_told_with_its_end() {
    for algorithm in BOTH {
        let node = Node::new();
        node.tpm.set_dictionary_attack(2, 600, 600);
        let config = node.with_pin();
        let backend = node.open(&config);
        let (key, locator) = create(&backend, &config, algorithm);
        let did = key.did().clone();
        drop(key);
        let refused = find(&backend, &locator, &did).unseal(&Pin::new(WRONG)).unwrap_err();
        assert_shows(refused, &["and one try is left", "do not guess"]);
        let refused = find(&backend, &locator, &did).unseal(&Pin::new(PIN)).unwrap_err();
        assert!(matches!(tpm_error(refused.reason()), TpmError::FinalTry));
        assert_shows(refused, &["the PIN was not sent", "allow_final_try"]);
        assert_eq!(node.tpm.lockout_counter(), 1);
        let mut allowed = config.clone();
        allowed.allow_final_try = true;
        let allowed = node.open(&allowed);
        find(&allowed, &locator, &did).unseal(&Pin::new(PIN)).unwrap();
        assert_eq!(node.tpm.lockout_counter(), 1);
        let another = Pin::new("8-rash-owls");
        let refused = find(&allowed, &locator, &did).unseal(&another).unwrap_err();
        assert_shows(refused, &["refused the PIN", "and the TPM is locked now"]);
        assert_eq!(node.tpm.lockout_counter(), 2);
        let refused = find(&allowed, &locator, &did).unseal(&Pin::new(PIN)).unwrap_err();
        assert_shows(
            refused,
            &["the TPM is locked", "at most 600 seconds", "tpm2_dictionarylockout"],
        );
        assert_eq!(node.tpm.lockout_counter(), 2);
        assert!(backend.describe().pin.unwrap().locked);
        node.tpm.clear_lockout();
        find(&backend, &locator, &did).unseal(&Pin::new(PIN)).unwrap();
        assert_eq!(node.tpm.lockout_counter(), 0);
        node.assert_tidy();
    }
}

/// Keys without a PIN are not in it: no lock-out keeps a node from starting.
#[test]
fn a_key_without_a_pin_opens_in_a_lock_out() {
    let node = Node::new();
    node.tpm.set_dictionary_attack(1, 600, 600);
    let (with, without) = (node.with_pin(), node.config());
    let mut allowed = with.clone();
    allowed.allow_final_try = true;
    for algorithm in BOTH {
        let (key, locator) = create(&node.open(&without), &without, algorithm);
        let did = key.did().clone();
        drop(key);
        let (locked, its) = create(&node.open(&allowed), &allowed, algorithm);
        let locked_did = locked.did().clone();
        drop(locked);
        let refused =
            find(&node.open(&allowed), &its, &locked_did).unseal(&Pin::new(WRONG)).unwrap_err();
        assert_shows(refused, &["refused the PIN"]);
        assert_eq!(node.tpm.lockout_counter(), 1);
        find(&node.open(&without), &locator, &did).unseal(&Pin::none()).unwrap();
        assert_eq!(node.tpm.lockout_counter(), 1);
        node.tpm.clear_lockout();
    }
    node.assert_tidy();
}

/// A TPM whose owner has turned the count off has no lock-out to be told of.
#[test]
fn a_tpm_that_does_not_count_is_not_taken_for_locked() {
    let node = Node::new();
    node.tpm.set_dictionary_attack(3, 0, 600);
    let config = node.with_pin();
    let backend = node.open(&config);
    let (key, locator) = create(&backend, &config, AlgorithmId::Ed25519);
    let did = key.did().clone();
    for _ in 0..2 {
        find(&backend, &locator, &did).unseal(&Pin::new(PIN)).unwrap();
    }
    for wrong in 0..4 {
        let wrong = Pin::new(format!("{WRONG}{wrong}"));
        let refused = find(&node.open(&config), &locator, &did).unseal(&wrong);
        assert_shows(refused.unwrap_err(), &["refused the PIN"]);
    }
    assert_eq!(node.tpm.lockout_counter(), 0);
    find(&backend, &locator, &did).unseal(&Pin::new(PIN)).unwrap();
    let state = backend.describe().pin.unwrap();
    assert!(!state.locked && !state.final_try && state.tries_left.is_none());
}

/// A TPM would take the first 32 bytes, and cut zeros.
#[test]
fn pins_that_differ_only_where_a_tpm_does_not_look_are_different() {
    let node = Node::new();
    node.tpm.set_dictionary_attack(30, 600, 600);
    let config = node.with_pin();
    let long = "0123456789abcdef0123456789abcdef-and-more".to_owned();
    let other = long.replace("more", "less");
    let zeros = format!("{long}\0");
    for algorithm in BOTH {
        let backend = node.open(&config);
        let request = NewKey::new(DidMethod::Key).with_algorithm(algorithm);
        let credential = Credentials::pin(Pin::new(long.as_str()));
        let made = backend.create(&request, &credential).unwrap();
        let did = made.key.did().clone();
        drop(made.key);
        for wrong in [&long[..32], &zeros, &other] {
            let refused = find(&backend, &made.locator, &did).unseal(&Pin::new(wrong)).unwrap_err();
            assert_shows(refused, &["refused the PIN"]);
        }
        find(&backend, &made.locator, &did).unseal(&Pin::new(long.as_str())).unwrap();
    }
}
