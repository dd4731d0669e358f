//! PINs: sent once, remembered as hashes, never printed.

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::session::UserType;
use icn_identity::error::OpenError;
use icn_identity::{DidSigner as _, Pin};
use support::softhsm::{PIN, alone, module};

use crate::ed25519::generate;
use crate::{TOKEN, assert_shows, backend, find};

pub(crate) const WRONG: &str = "0001wrong-90441277";

#[test]
fn while_a_key_is_open_another_pin_is_compared_and_not_sent() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = backend();
        let (open, locator) = generate(&backend);
        let sealed = find(&backend, &locator, open.did()).unwrap();
        let (sealed, reason) = sealed.unseal(&Pin::new(WRONG)).unwrap_err().into_parts();
        assert_shows(reason, &["token node-1 is open with another PIN", "give the PIN"]);
        let second = sealed.unseal(&Pin::new(PIN)).unwrap();
        drop(open);
        second.sign(b"the login lasts as long as the last key").unwrap();
    });
}

#[test]
fn somebody_elses_login_does_not_vouch_for_a_pin() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let context = Pkcs11::new(module()).unwrap();
        context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        let (key, _) = generate(&backend());
        let sealed = key.seal();
        let slot = context.get_slots_with_initialized_token().unwrap()[0];
        let session = context.open_ro_session(slot).unwrap();
        session.login(UserType::User, Some(&PIN.into())).unwrap();
        for attempt in [WRONG, PIN] {
            let error = sealed_refusal(&backend(), attempt);
            assert_shows(error, &["other code in this process is logged in"]);
        }
        session.logout().unwrap();
        sealed.unseal(&Pin::new(PIN)).unwrap();
    });
}

fn sealed_refusal(backend: &icn_identity::backend::pkcs11::Pkcs11Backend, pin: &str) -> OpenError {
    let locator = backend.find_by_label("icn-identity").unwrap();
    let did = crate::did_at(backend, &locator);
    let sealed = find(backend, &locator, &did).unwrap();
    sealed.unseal(&Pin::new(pin)).unwrap_err().into_parts().1
}

#[test]
fn an_empty_pin_is_not_sent() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (key, _) = generate(&backend());
        let refused = key.seal().unseal(&Pin::new("")).unwrap_err();
        assert_shows(refused, &["token node-1 does not take this PIN: the PIN is empty"]);
    });
}
