//! Opening a key, and signing, on a token with 1,000 other key pairs.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::panic)]
#![allow(clippy::expect_used, clippy::indexing_slicing)]

use std::hint::black_box;
use std::process::ExitCode;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::session::{Session, UserType};
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Backend as _, Credentials, KeyAtRest, Locator, NewKey};
use icn_identity::config::Pkcs11Config;
use icn_identity::{Hardware, Key, Pin, SealedKey, Unlocked};
use support::medians;
use support::ratios::Report;
use support::softhsm::{PIN, module};

const KEYS: u32 = 1000;

fn main() -> ExitCode {
    if let Some(ended) = medians::in_a_token_of_our_own() {
        return ended;
    }
    let mut report = Report::of("crowded");
    let pin = Pin::new(PIN);
    let config = Pkcs11Config::new(module()).with_token("bench");
    let backend = Pkcs11Backend::open(&config).unwrap();
    let made = backend.create(&NewKey::default(), &Credentials::pin(pin.clone())).unwrap();
    let Locator::Pkcs11(locator) = made.locator else { panic!("a PKCS#11 locator") };
    let key: Key<Hardware, Unlocked> = made.key.try_into().unwrap();
    let did = key.did().clone();

    let message = [0x17_u8; 64];
    let sign = || {
        black_box(key.sign(black_box(&message)).unwrap());
    };
    let [alone] = medians::medians_of_processor(200, 10, [&mut &sign]);

    // Not through this crate: a thousand keys of others.
    let context = Pkcs11::new(module()).unwrap();
    let _ = context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slot = context.get_slots_with_initialized_token().unwrap()[0];
    let session = context.open_rw_session(slot).unwrap();
    let _ = session.login(UserType::User, Some(&PIN.into()));
    for number in 0..KEYS {
        generate(&session, number);
    }
    let [crowded] = medians::medians_of_processor(200, 10, [&mut &sign]);
    report.time("crowded-sign", crowded, alone);

    // A login that is there is joined, so that both sides see private objects.
    let mut sealed = Some(find(&backend, &locator, &did).demand_hardware().unwrap());
    let [ours, raw] = medians::medians_of_processor(
        30,
        1,
        [
            &mut || {
                let opened = sealed.take().unwrap().unseal(&pin).unwrap();
                sealed = Some(black_box(opened).seal());
            },
            &mut || {
                let found = session.find_objects(&[Attribute::Id(locator.id.clone())]).unwrap();
                assert_eq!(black_box(found).len(), 2);
            },
        ],
    );
    report.time("crowded-open", ours, raw);

    // For the first time in a process the public key is searched for, too.
    let [cold, raw] = medians::medians_of_processor(
        30,
        1,
        [
            &mut || {
                let sealed = find(&backend, &locator, &did).demand_hardware().unwrap();
                drop(black_box(sealed.unseal(&pin).unwrap()));
            },
            &mut || {
                black_box(session.find_objects(&[Attribute::Id(locator.id.clone())]).unwrap());
            },
        ],
    );
    report.time("crowded-find", cold, raw);
    report.end()
}

fn find(
    backend: &Pkcs11Backend,
    locator: &icn_identity::backend::Pkcs11Locator,
    did: &icn_identity::Did,
) -> SealedKey {
    match backend.find(&Locator::Pkcs11(locator.clone()), did).unwrap() {
        KeyAtRest::Device(key) => key,
        other => panic!("{other:?}"),
    }
}

fn generate(session: &Session, number: u32) {
    let id = Attribute::Id(number.to_be_bytes().to_vec());
    let oid = Attribute::EcParams(vec![0x06, 0x03, 0x2b, 0x65, 0x70]);
    let public = [Attribute::Token(true), Attribute::Private(false), id.clone(), oid];
    let private = [Attribute::Token(true), Attribute::Private(true), id, Attribute::Sign(true)];
    session.generate_key_pair(&Mechanism::EccEdwardsKeyPairGen, &public, &private).unwrap();
}
