//! What is really sent to a module, as OpenSC's `pkcs11-spy` writes it down.

use std::fs;
use std::path::{Path, PathBuf};

use icn_identity::Pin;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::config::Pkcs11Config;
use support::softhsm::{PIN, SoftHsm, alone_with, module};

use crate::TOKEN;

pub(crate) fn spy() -> PathBuf {
    let places = [
        "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so",
        "/usr/lib/aarch64-linux-gnu/pkcs11-spy.so",
        "/usr/lib64/pkcs11-spy.so",
    ];
    let found = places.iter().map(Path::new).find(|place| place.exists());
    found.expect("pkcs11-spy.so is missing: install OpenSC (Debian: opensc-pkcs11)").to_owned()
}

/// The functions that were called while `work` was done, by name.
pub(crate) fn calls(hsm: &SoftHsm, work: impl FnOnce()) -> Vec<String> {
    let log = hsm.path("spy.log");
    let before = fs::read_to_string(&log).unwrap_or_default().len();
    work();
    let written = fs::read_to_string(&log).unwrap()[before..].to_owned();
    let lines = written.lines().filter_map(|line| line.split_once(": C_"));
    lines.map(|(_, name)| format!("C_{name}")).collect()
}

pub(crate) fn count(calls: &[String], name: &str) -> usize {
    calls.iter().filter(|call| *call == name).count()
}

for_both_algorithms! {

#[test]
fn a_signature_is_two_calls_and_a_pin_is_sent_once() {
    let module = module();
    alone_with(&[("PKCS11SPY", module)], |hsm| {
        hsm.token(TOKEN);
        let config = Pkcs11Config::new(spy()).with_token(TOKEN).with_verify_after_sign(true);
        let backend = Pkcs11Backend::open(&config).unwrap();
        let (key, _) = generate(&backend);
        let signing = calls(hsm, || {
            key.sign(b"hello").unwrap();
        });
        assert_eq!(signing, ["C_SignInit", "C_Sign"]);

        let mut sealed = Some(key.seal());
        let wrong = calls(hsm, || {
            let refused = sealed.take().unwrap().unseal(&Pin::new(crate::pins::WRONG));
            sealed = Some(refused.unwrap_err().into_key());
        });
        assert_eq!(count(&wrong, "C_Login"), 1, "{wrong:?}");
        let again = calls(hsm, || {
            let refused = sealed.take().unwrap().unseal(&Pin::new(crate::pins::WRONG));
            sealed = Some(refused.unwrap_err().into_key());
        });
        assert_eq!(count(&again, "C_Login"), 0, "{again:?}");
        let right = calls(hsm, || {
            sealed.take().unwrap().unseal(&Pin::new(PIN)).unwrap();
        });
        assert_eq!(count(&right, "C_Login"), 1, "{right:?}");
        assert_eq!(count(&right, "C_Logout"), 1, "{right:?}");
        assert_eq!(count(&right, "C_OpenSession"), count(&right, "C_CloseSession"), "{right:?}");
    });
}

}
