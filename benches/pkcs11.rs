//! `Key<Hardware, Unlocked>::sign` against raw `C_SignInit` and `C_Sign` on an
//! open session of SoftHSM2.
#![allow(missing_docs, clippy::print_stdout, clippy::indexing_slicing, clippy::unwrap_used)]
#![allow(clippy::expect_used, clippy::as_conversions, clippy::panic)]
#![allow(unsafe_code, reason = "the baseline is the C interface itself")]

use std::hint::black_box;
use std::process::ExitCode;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_FUNCTION_LIST, CK_MECHANISM, CKA_CLASS, CKA_ID, CKF_SERIAL_SESSION, CKM_EDDSA,
    CKO_PRIVATE_KEY, CKR_OK,
};
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Backend as _, Credentials, Locator, NewKey, Pkcs11Locator};
use icn_identity::config::Pkcs11Config;
use icn_identity::{Did, DidMethod, Hardware, Key, Pin, Unlocked};
use support::medians;
use support::ratios::Report;
use support::softhsm::{PIN, module};

fn main() -> ExitCode {
    if let Some(ended) = medians::in_a_token_of_our_own() {
        return ended;
    }
    let (module, mut report) = (module(), Report::of("pkcs11"));

    let open = |verify: bool| {
        let config = Pkcs11Config::new(module).with_token("bench").with_verify_after_sign(verify);
        Pkcs11Backend::open(&config).unwrap()
    };
    let credential = Credentials::pin(Pin::new(PIN));
    let made = open(false).create(&NewKey::new(DidMethod::Icn), &credential).unwrap();
    let Locator::Pkcs11(locator) = made.locator else { panic!("a PKCS#11 locator") };
    let did = icn_identity::DidSigner::did(&made.key).clone();
    let unverified = Key::<Hardware, Unlocked>::try_from(made.key).unwrap();
    let found = open(true).find(&Locator::Pkcs11(locator.clone()), &did).unwrap();
    let icn_identity::backend::KeyAtRest::Device(sealed) = found else { panic!("a device key") };
    let verified = sealed.demand_hardware().unwrap().unseal(&Pin::new(PIN)).unwrap();

    let message = [0x17_u8; 64];
    let raw = Raw::open(module.as_ref(), locator_id(&locator.to_string()));
    let [ours, bare, checked] = medians::medians_of_processor(
        400,
        10,
        [
            &mut || {
                black_box(unverified.sign(black_box(&message)).unwrap());
            },
            &mut || {
                black_box(raw.sign(black_box(&message)));
            },
            &mut || {
                black_box(verified.sign(black_box(&message)).unwrap());
            },
        ],
    );
    report.time("token-sign", ours, bare);
    report.time("token-sign-verified", checked, bare);

    // SoftHSM itself does not double with a second thread where its OpenSSL
    // (3.0) waits for its own locks: so the C interface alone is shown, too.
    let id = || locator_id(&locator.to_string());
    let raws = [Raw::open(module.as_ref(), id()), Raw::open(module.as_ref(), id())];
    let raw_two = raw_in(&raws, &message);
    let raw_one = raw_in(&raws[..1], &message);
    let (one, two) =
        (signatures_in(&unverified, 1, &message), signatures_in(&unverified, 2, &message));
    for (what, two, one) in [
        ("two threads that call SoftHSM2 themselves, over one", raw_two, raw_one),
        ("two threads that sign with one key in SoftHSM2, over one", two, one),
    ] {
        let gain = format!("{:.2}; {two:.0} over {one:.0} a second", two / one);
        report.figure(what, &gain);
    }
    // One login for the process: ours ends before that through another module.
    drop((unverified, verified));
    waiting_token(&locator, &did, &message, &mut report);
    report.end()
}

/// A token that takes 2 ms for a signature, as one on a network does: what the
/// pool is for. (SoftHSM behind the module that tests inject faults with.)
fn waiting_token(locator: &Pkcs11Locator, did: &Did, message: &[u8], report: &mut Report) {
    let dir = std::env::var_os("ICN_BENCH_CHILD").unwrap();
    let dir = std::path::Path::new(&dir);
    let module = dir.join("fault.so");
    let built = std::env::current_exe().unwrap().with_file_name("libpkcs11_fault.so");
    std::fs::copy(built, &module).unwrap();
    std::fs::write(dir.join("script"), "on C_Sign all sleep 2\n").unwrap();
    let sessions = std::num::NonZeroU16::new(8).unwrap();
    let config = Pkcs11Config::new(module).with_token("bench").with_sessions(sessions);
    let found = Pkcs11Backend::open(&config).unwrap().find(&Locator::Pkcs11(locator.clone()), did);
    let icn_identity::backend::KeyAtRest::Device(sealed) = found.unwrap() else {
        panic!("a device key")
    };
    let key = sealed.demand_hardware().unwrap().unseal(&Pin::new(PIN)).unwrap();
    let [one, two, eight] = [1, 2, 8].map(|threads| signatures_in(&key, threads, message));
    report.rate("slow-token-2-threads", two, one);
    report.rate("slow-token-8-threads", eight, one);
}

/// The same with the C interface alone, a session for each thread.
fn raw_in(sessions: &[Raw], message: &[u8]) -> f64 {
    let run = || {
        let start = Instant::now();
        let count: u32 = std::thread::scope(|scope| {
            let sign = |raw| {
                move || {
                    let raw: &Raw = raw;
                    let mut count = 0;
                    while start.elapsed() < Duration::from_secs(1) {
                        black_box(raw.sign(black_box(message)));
                        count += 1;
                    }
                    count
                }
            };
            let threads: Vec<_> = sessions.iter().map(|raw| scope.spawn(sign(raw))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        f64::from(count) / start.elapsed().as_secs_f64()
    };
    (0..5).map(|_| run()).fold(0.0, f64::max)
}

/// Signatures in a second, the best of five runs: others use the machine too.
fn signatures_in(key: &Key<Hardware, Unlocked>, threads: usize, message: &[u8]) -> f64 {
    let run = || {
        let start = Instant::now();
        let count: u32 = std::thread::scope(|scope| {
            let sign = || {
                let mut count = 0;
                while start.elapsed() < Duration::from_secs(1) {
                    black_box(key.sign(black_box(message)).unwrap());
                    count += 1;
                }
                count
            };
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(sign)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        f64::from(count) / start.elapsed().as_secs_f64()
    };
    (0..5).map(|_| run()).fold(0.0, f64::max)
}

fn locator_id(uri: &str) -> Vec<u8> {
    let id = uri.split(";id=").nth(1).unwrap().split(';').next().unwrap();
    id.split('%').skip(1).map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The C interface, with nothing around it.
struct Raw {
    _library: cryptoki_sys::Pkcs11,
    list: CK_FUNCTION_LIST,
    session: u64,
    key: u64,
}

impl Raw {
    fn open(module: &std::path::Path, mut id: Vec<u8>) -> Self {
        // SAFETY: the module is SoftHSM2, loaded and initialised above and in
        // this process; every pointer is to a local that outlives its call.
        unsafe {
            let library = cryptoki_sys::Pkcs11::new(module).unwrap();
            let mut list = null_mut();
            assert_eq!(library.C_GetFunctionList(&mut list), CKR_OK);
            let list = *list;
            let (mut slots, mut count) = ([0; 8], 8);
            assert_eq!(list.C_GetSlotList.unwrap()(1, slots.as_mut_ptr(), &mut count), CKR_OK);
            let mut session = 0;
            let open = list.C_OpenSession.unwrap();
            let rv = open(slots[0], CKF_SERIAL_SESSION, null_mut(), None, &mut session);
            assert_eq!(rv, CKR_OK);
            let mut class = CKO_PRIVATE_KEY;
            let mut template = [
                CK_ATTRIBUTE {
                    type_: CKA_CLASS,
                    pValue: (&raw mut class).cast(),
                    ulValueLen: size_of_val(&class) as u64,
                },
                CK_ATTRIBUTE {
                    type_: CKA_ID,
                    pValue: id.as_mut_ptr().cast(),
                    ulValueLen: id.len() as u64,
                },
            ];
            let init = list.C_FindObjectsInit.unwrap();
            assert_eq!(init(session, template.as_mut_ptr(), 2), CKR_OK);
            let (mut key, mut found) = (0, 0);
            assert_eq!(list.C_FindObjects.unwrap()(session, &mut key, 1, &mut found), CKR_OK);
            assert_eq!(found, 1);
            assert_eq!(list.C_FindObjectsFinal.unwrap()(session), CKR_OK);
            Self { _library: library, list, session, key }
        }
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut mechanism =
            CK_MECHANISM { mechanism: CKM_EDDSA, pParameter: null_mut(), ulParameterLen: 0 };
        let (mut signature, mut length) = ([0; 64], 64);
        // SAFETY: session and key are open; the buffers live through the calls.
        unsafe {
            let init = self.list.C_SignInit.unwrap();
            assert_eq!(init(self.session, &mut mechanism, self.key), CKR_OK);
            let sign = self.list.C_Sign.unwrap();
            let data = message.as_ptr().cast_mut();
            let rv =
                sign(self.session, data, message.len() as u64, signature.as_mut_ptr(), &mut length);
            assert_eq!(rv, CKR_OK);
        }
        signature
    }
}
