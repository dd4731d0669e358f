//! Tokens that show nothing without a login.

use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Credentials, Pkcs11Uri};
use icn_identity::config::Pkcs11Config;
use icn_identity::error::{DeviceError, Pkcs11Error};
use icn_identity::keystore::IdentityStore;
use icn_identity::{DidMethod, Pin};
use support::softhsm::{SoftHsm, alone, count};

use crate::{TOKEN, assert_shows, faulty, faulty_config, pin, pins::WRONG};

/// As yubihsm_pkcs11 2.8.0 answers: no object and no error before a login, and one
/// name of the curve.
const YUBIHSM: &str = "login-to-see\ncurve printable\nlibrary Yubico_(www.yubico.com)\n\
    manufacturer Yubico_(www.yubico.com)\nmodel YubiHSM\nhide-max-sessions";

/// A token with one key, which is then shown within a login only.
fn token_with_a_key(hsm: &SoftHsm, label: &str, kind: &str) {
    hsm.token(label);
    let make = ["--keypairgen", "--key-type", kind, "--label", "theirs", "--id", "07"];
    hsm.pkcs11_tool_on(label, &make);
}

#[test]
fn an_ed25519_key_that_is_shown_within_a_login_only_is_found_with_the_pin() {
    alone(|hsm| is_found_with_the_pin(hsm, "EC:edwards25519"));
}

#[test]
fn a_p256_key_that_is_shown_within_a_login_only_is_found_with_the_pin() {
    alone(|hsm| is_found_with_the_pin(hsm, "EC:prime256v1"));
}

fn is_found_with_the_pin(hsm: &SoftHsm, kind: &str) {
    token_with_a_key(hsm, TOKEN, kind);
    let backend = faulty(hsm);
    let shown = backend.find_by_label("theirs").unwrap();
    let key = backend.public_key(&shown).unwrap();
    assert!(backend.shows_a_key().unwrap());

    hsm.script(YUBIHSM);
    let uri: Pkcs11Uri = "pkcs11:object=theirs".parse().unwrap();
    let did = icn_identity::Did::from_key(DidMethod::Key, &key).unwrap();
    assert!(!backend.shows_a_key().unwrap());
    assert_shows(backend.find_by_label("theirs").unwrap_err(), &["has no key"]);
    assert_shows(backend.locate(&uri).unwrap_err(), &["has no key"]);

    let (found, calls) = hsm.calls(|| {
        let token = backend.log_in(&pin()).unwrap();
        assert_eq!(token.find_by_label("theirs").unwrap(), shown);
        assert_eq!(token.locate(&uri).unwrap(), shown);
        assert_eq!(token.public_key(&shown).unwrap(), key);
        let found = token.search(&did).unwrap();
        // What is opened meanwhile joins the login.
        let store = tempfile::tempdir().unwrap();
        let store = IdentityStore::new(store.path().join("icn"));
        let locator = icn_identity::backend::Locator::Pkcs11(found.clone());
        store.adopt(&backend, &locator, &did, &pin()).unwrap();
        found
    });
    assert_eq!(found, shown);
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    assert_eq!(count(&calls, "C_Logout"), 1, "{calls:?}");
    assert!(!backend.shows_a_key().unwrap(), "the login has ended");
}

#[test]
fn a_refused_pin_is_sent_once_and_what_is_not_there_is_told() {
    alone(|hsm| {
        token_with_a_key(hsm, TOKEN, "EC:edwards25519");
        hsm.script(YUBIHSM);
        let backend = faulty(hsm);
        let wrong = Credentials::pin(Pin::new(WRONG));
        let (refused, calls) = hsm.calls(|| [backend.log_in(&wrong), backend.log_in(&wrong)]);
        let [first, second] = refused.map(Result::unwrap_err);
        assert!(matches!(first, DeviceError::Pkcs11(Pkcs11Error::WrongPin { .. })), "{first:?}");
        let known = matches!(second, DeviceError::Pkcs11(Pkcs11Error::PinKnownWrong { .. }));
        assert!(known, "{second:?}");
        assert_eq!(count(&calls, "C_Login"), 1);

        let token = backend.log_in(&pin()).unwrap();
        assert_shows(token.find_by_label("none").unwrap_err(), &["has no key labelled \"none\""]);
        let elsewhere: Pkcs11Uri = "pkcs11:token=node-9".parse().unwrap();
        assert_shows(token.locate(&elsewhere).unwrap_err(), &["no token matches", TOKEN]);
        let theirs = token.find_by_label("theirs").unwrap();
        let mut other = theirs.clone();
        other.token = "node-9".into();
        assert_shows(token.public_key(&other).unwrap_err(), &["no token matches"]);
        let stranger = icn_identity::Key::generate().unwrap();
        let error = token.search(icn_identity::DidSigner::did(&stranger)).unwrap_err();
        assert_shows(error, &["no token has the key of", TOKEN]);
    });
}

/// It would be a wrong PIN on one of them.
#[test]
fn the_pin_is_sent_to_no_token_where_several_are_meant() {
    alone(|hsm| {
        for token in [TOKEN, "node-2"] {
            token_with_a_key(hsm, token, "EC:edwards25519");
        }
        hsm.script(YUBIHSM);
        let any = Pkcs11Config::new(hsm.fault_module());
        let backend = Pkcs11Backend::open(&any).unwrap();
        let (error, calls) = hsm.calls(|| backend.log_in(&pin()).unwrap_err());
        assert_shows(error, &["more than one token", TOKEN, "node-2"]);
        assert_eq!(count(&calls, "C_Login"), 0);
        // The one that the configuration means, by its key's URI too.
        let mut by_uri = any.clone();
        by_uri.key = Some("pkcs11:token=node-2;object=theirs".parse().unwrap());
        let backend = Pkcs11Backend::open(&by_uri).unwrap();
        let token = backend.log_in(&pin()).unwrap();
        assert_eq!(token.find_by_label("theirs").unwrap().token, "node-2");
        drop(token);
        let one = Pkcs11Backend::open(&faulty_config(hsm)).unwrap();
        assert_eq!(one.log_in(&pin()).unwrap().find_by_label("theirs").unwrap().token, TOKEN);
    });
}
