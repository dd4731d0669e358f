//! Identities that are renewed while their key is open on the token.

use icn_identity::backend::NewKey;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::bundle::Renewal;
use icn_identity::config::Pkcs11Config;
use icn_identity::keystore::{IdentityStore, Pinned};
use support::softhsm::{alone, alone_with, count as count_calls, module};

use crate::calls::{calls, count, spy};
use crate::{TOKEN, assert_shows, faulty, pin};

for_both_algorithms! {

/// With the session that is open: no PIN, no login, no other key.
#[test]
fn an_identity_is_renewed_with_two_calls_and_without_a_login() {
    alone_with(&[("PKCS11SPY", module())], |hsm| {
        hsm.token(TOKEN);
        let dir = tempfile::tempdir().unwrap();
        let store = IdentityStore::new(dir.path().join("home"));
        let config = Pkcs11Config::new(spy()).with_token(TOKEN);
        let backend = Pkcs11Backend::open(&config).unwrap();
        drop(store.create(&backend, &new_key(), &pin()).unwrap());
        let mut opened = None;
        let opening = calls(hsm, || opened = Some(store.open(&backend, Pinned::Nobody, &pin()).unwrap().bundle));
        assert_eq!(count(&opening, "C_Login"), 1, "{opening:?}");
        let bundle = opened.unwrap();
        // The handle on the module is given back: what is open is enough.
        drop(backend);
        let due = bundle.renewal_due_at();
        let renewing = calls(hsm, || {
            assert_eq!(bundle.renew_if_due(due).unwrap(), Renewal::Renewed);
        });
        assert_eq!(renewing, ["C_SignInit", "C_Sign"]);
        let header = store.header().unwrap();
        assert_eq!(header.binding(), Some(bundle.binding()));
        assert_eq!(header.generation(), 2);
        drop(bundle);
        let backend = Pkcs11Backend::open(&config).unwrap();
        let again = store.open_without_renewal(&backend, Pinned::Nobody, &pin()).unwrap().bundle;
        assert_eq!(header.binding(), Some(again.binding()));
    });
}

}

/// Where the key is now, another process has written: it stays so.
#[test]
fn what_another_process_has_relocated_is_not_put_back_by_a_renewal() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let home = hsm.faulty_identity(TOKEN);
        let store = IdentityStore::new(home.path(""));
        let bundle = store.open(&faulty(hsm), Pinned::Nobody, &pin()).unwrap().bundle;
        // The token was restored on another device, as it looks from now on.
        hsm.script("serial NEW0001");
        home.ok(&["id", "relocate"], b"");
        let moved = store.header().unwrap();
        assert_eq!(moved.locator().unwrap().serial, "NEW0001");
        bundle.renew().unwrap();
        let header = store.header().unwrap();
        assert_eq!(header.locator(), moved.locator());
        assert_eq!(header.storage(), moved.storage());
        assert_eq!(header.generation(), moved.generation() + 1);
        assert_eq!(header.binding(), Some(bundle.binding()));
    });
}

/// Of a new key it is not known, since it was made within a login.
#[test]
fn what_an_open_identity_knows_of_its_token_is_written_when_it_renews_itself() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let store = IdentityStore::new(hsm.path("home"));
        drop(store.create(&faulty(hsm), &NewKey::default(), &pin()).unwrap());
        let is_shown = || store.header().unwrap().locator().unwrap().shown;
        let open = || store.open(&faulty(hsm), Pinned::Nobody, &pin());
        let bundle = open().unwrap().bundle;
        assert!(!is_shown());
        bundle.renew().unwrap();
        assert!(is_shown());
        drop(bundle);
        // From now on it has to be seen.
        hsm.script("login-to-see");
        let (refused, calls) = hsm.calls(|| open().unwrap_err());
        assert_eq!(count_calls(&calls, "C_Login"), 0, "{calls:?}");
        assert_shows(refused, &["does not show the public key", "no PIN was sent"]);
        // The key is where it was, and its token hides it from now on: whoever says so.
        let backend = faulty(hsm);
        let login = backend.log_in(&pin()).unwrap();
        let at = login.search(store.header().unwrap().did()).unwrap();
        let moved = store.relocate(&backend, &at, Pinned::Nobody, &pin()).unwrap();
        drop((login, moved));
        assert!(!is_shown());
        drop(open().unwrap());
        // One that hides its keys is not held to have shown one since it was open here.
        let bundle = open().unwrap().bundle;
        let second = open().unwrap().bundle;
        second.renew().unwrap();
        drop((bundle, second));
        assert!(!is_shown());
    });
}
