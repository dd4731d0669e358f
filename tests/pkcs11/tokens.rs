//! Choosing a token.

use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Backend as _, BackendKind, NewKey};
use icn_identity::config::Pkcs11Config;
use icn_identity::error::ErrorKind;
use icn_identity::{DidSigner as _, Pin};
use support::softhsm::{PIN, alone, module};

use crate::ed25519::generate;
use crate::{TOKEN, assert_shows, backend, config, find, pin, shown};

#[test]
fn a_missing_token_is_told_with_those_that_are_there() {
    alone(|hsm| {
        hsm.token("alpha");
        hsm.token("beta");
        let error = Pkcs11Backend::open(&config()).unwrap_err();
        assert_shows(
            error,
            &["no token matches label \"node-1\"; present: ", "alpha (serial ", "beta (serial "],
        );
    });
}

#[test]
fn no_token_at_all_is_said_so() {
    alone(|_| {
        let error = Pkcs11Backend::open(&Pkcs11Config::new(module())).unwrap_err();
        assert_shows(error, &["no token matches any label; present: none", "plug the token in"]);
    });
}

#[test]
fn the_only_token_needs_no_name() {
    alone(|hsm| {
        hsm.token("alpha");
        let open = Pkcs11Backend::open(&Pkcs11Config::new(module())).unwrap();
        let description = open.describe();
        assert_eq!(description.kind, BackendKind::Pkcs11);
        assert_eq!(description.device.unwrap().label, "alpha");
        generate(&open);
    });
}

#[test]
fn several_tokens_and_none_named_is_ambiguous() {
    alone(|hsm| {
        hsm.token("alpha");
        hsm.token("beta");
        let backend = Pkcs11Backend::open(&Pkcs11Config::new(module())).unwrap();
        let error = backend.create(&NewKey::default(), &pin()).unwrap_err();
        assert_shows(error, &["more than one token matches any label", "name one by `serial`"]);
    });
}

#[test]
fn two_tokens_of_one_label_are_told_apart_by_serial() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.token(TOKEN);
        let ambiguous = backend();
        let text = shown(ambiguous.create(&NewKey::default(), &pin()).unwrap_err());
        assert!(text.contains("more than one token matches label \"node-1\": node-1 (serial "));
        let serial = text.split("(serial ").nth(1).unwrap().split(')').next().unwrap();

        let one = Pkcs11Backend::open(&config().with_serial(serial)).unwrap();
        let (key, locator) = generate(&one);
        assert_eq!(locator.serial, serial);
        // The locator says which token is meant, where the configuration
        // leaves it open; and so does the storage key.
        let found = find(&ambiguous, &locator, key.did()).unwrap();
        let opened = found.unseal(&Pin::new(PIN)).unwrap();
        let vault = ambiguous.vault().unwrap();
        let secret = "storage".to_owned().into();
        let wrapped = vault.wrap(opened.did(), &secret, &pin()).unwrap().unwrap();
        assert_eq!(
            vault.unwrap(opened.did(), &wrapped, &pin()).unwrap().expose_secret(),
            "storage"
        );
    });
}

#[test]
fn a_locator_of_another_token_than_configured_is_refused() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.token("beta");
        let (key, locator) = generate(&backend());
        let beta = Pkcs11Config::new(module()).with_token("beta");
        let error = find(&Pkcs11Backend::open(&beta).unwrap(), &locator, key.did()).unwrap_err();
        // No other try changes that.
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert_shows(
            error,
            &[
                "both the configuration (label \"beta\")",
                "the key's locator (label \"node-1\", serial ",
                "present: ",
            ],
        );
    });
}
