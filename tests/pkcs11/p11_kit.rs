//! p11-kit: another list of functions at each asking, of which one works. Once
//! played by the fault module, and once p11-kit's own proxy in front of SoftHSM 2.

use std::path::{Path, PathBuf};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Backend as _, Locator};
use icn_identity::config::Pkcs11Config;
use icn_identity::error::{DeviceError, OpenError, Pkcs11Error};
use icn_identity::{DidSigner as _, DidSignerExt as _, Pin, ProvenanceKind};
use support::softhsm::{PIN, alone, count, module};

use crate::{TOKEN, assert_shows, faulty, find, pin};

const LISTS: &str = "list-per-call";

/// p11-kit's proxy: all configured modules behind one. Debian's package of SoftHSM
/// configures itself there.
fn proxy() -> PathBuf {
    let places = [
        "/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so",
        "/usr/lib/aarch64-linux-gnu/p11-kit-proxy.so",
        "/usr/lib64/p11-kit-proxy.so",
    ];
    let found = places.iter().map(Path::new).find(|place| place.exists());
    found.expect("p11-kit-proxy.so is missing: install p11-kit (Debian: p11-kit-modules)").into()
}

fn proxied() -> Pkcs11Config {
    Pkcs11Config::new(proxy()).with_token(TOKEN)
}

for_both_algorithms! {

/// Makes a key, opens it again, signs, keeps a storage key; a wrong PIN is sent once.
fn works(backend: &Pkcs11Backend) {
    let (key, locator) = generate(backend);
    let did = key.did().clone();
    key.verifying_key().verify(b"hello", &key.sign(b"hello").unwrap()).unwrap();
    let vault = backend.vault().unwrap();
    let secret = "storage".to_owned().into();
    let wrapped = vault.wrap(&did, &secret, &pin()).unwrap().unwrap();
    assert_eq!(vault.unwrap(&did, &wrapped, &pin()).unwrap().expose_secret(), "storage");
    drop(key);

    let sealed = find(backend, &locator, &did).unwrap();
    let (sealed, reason) = sealed.unseal(&Pin::new(crate::pins::WRONG)).unwrap_err().into_parts();
    assert!(
        matches!(
            reason,
            OpenError::Device(DeviceError::Pkcs11(Pkcs11Error::WrongPin { count_low: true, .. }))
        ),
        "{reason:?}"
    );
    let (sealed, reason) = sealed.unseal(&Pin::new(crate::pins::WRONG)).unwrap_err().into_parts();
    assert_shows(reason, &["was refused by token node-1 before and was not tried again"]);
    let key = sealed.unseal(&Pin::new(PIN)).unwrap();
    key.verifying_key().verify(b"again", &key.sign(b"again").unwrap()).unwrap();
}

#[test]
fn a_module_with_a_list_per_call_is_called_by_the_one_that_was_initialised() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(LISTS);
        let ((), calls) = hsm.calls(|| works(&faulty(hsm)));
        let strays: Vec<_> = calls.iter().filter(|call| call.contains("0x190")).collect();
        assert!(strays.is_empty(), "CKR_CRYPTOKI_NOT_INITIALIZED: {strays:?}");
    });
}

#[test]
fn what_is_lost_behind_a_module_with_a_list_per_call_comes_back() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(LISTS);
        let (key, _) = generate(&faulty(hsm));
        for (loss, logins) in [("kill-all", 1), ("kill-session", 0), ("return CKR_DEVICE_ERROR", 0)] {
            hsm.script(&format!("{LISTS}\non C_SignInit 1 {loss}"));
            let (signature, calls) = hsm.calls(|| key.sign(loss.as_bytes()).unwrap());
            key.verifying_key().verify(loss.as_bytes(), &signature).unwrap();
            assert_eq!(count(&calls, "C_Login"), logins, "{loss}: {calls:?}");
        }
    });
}

/// What a module behind a proxy leaves out is unknown there too.
#[test]
fn evidence_through_a_list_per_call_is_what_the_module_says() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for (script, provenance) in [
            ("", ProvenanceKind::Hardware),
            ("hide CKA_LOCAL", ProvenanceKind::DeviceHeld),
            ("say CKA_ALWAYS_SENSITIVE false", ProvenanceKind::DeviceHeld),
        ] {
            hsm.script(&format!("{LISTS}\n{script}"));
            let label = new_key().with_label(Some(format!("{script:?}")));
            let made = faulty(hsm).create(&label, &pin()).unwrap();
            assert_eq!(made.key.provenance(), provenance, "{script}");
        }
    });
}

/// Between the two calls of a signature, which cryptoki makes as one.
#[test]
fn a_key_that_wants_its_pin_each_time_is_refused_through_such_a_module() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(LISTS);
        let backend = faulty(hsm);
        let (key, locator) = generate(&backend);
        let did = key.did().clone();
        drop(key);
        hsm.script(&format!("{LISTS}\nsay CKA_ALWAYS_AUTHENTICATE true"));
        let sealed = find(&backend, &locator, &did).unwrap();
        let (refused, calls) = hsm.calls(|| sealed.unseal(&Pin::new(PIN)).unwrap_err());
        assert_eq!(count(&calls, "C_SignInit"), 0, "{calls:?}");
        assert_shows(
            refused,
            &["wants its PIN for each signature", "fault.so", "the library behind this one"],
        );
    });
}

#[test]
fn p11_kits_proxy_in_front_of_softhsm_works() {
    alone(|hsm| {
        hsm.token(TOKEN);
        works(&Pkcs11Backend::open(&proxied()).unwrap());
    });
}

/// Other code of this process, by the module behind the proxy.
#[test]
fn a_login_that_is_lost_behind_p11_kits_proxy_is_made_again() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = Pkcs11Backend::open(&proxied()).unwrap();
        let (key, _) = generate(&backend);
        let behind = Pkcs11::new(module()).unwrap();
        let _ = behind.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        let slot = behind.get_slots_with_initialized_token().unwrap()[0];
        let session = behind.open_ro_session(slot).unwrap();
        session.logout().unwrap();
        let state = || format!("{:?}", session.get_session_info().unwrap());
        assert!(state().contains("RoPublic"));
        key.verifying_key().verify(b"hello", &key.sign(b"hello").unwrap()).unwrap();
        assert!(state().contains("RoUser"), "logged in again: {}", state());
    });
}

#[test]
fn a_key_behind_p11_kits_proxy_is_a_soft_tokens() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let made = Pkcs11Backend::open(&proxied()).unwrap().create(&new_key(), &pin()).unwrap();
        assert!(matches!(made.locator, Locator::Pkcs11(_)));
        assert!(!made.key.is_hardware_backed());
    });
}

}
