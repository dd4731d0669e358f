//! What tells one device from another one, and who shares what is noted of it.

use super::homes::two_homes;
use super::notes::Refusal;
use super::same::Sameness;
use super::*;

const KEY: u8 = 1;
const OTHER_KEY: u8 = 2;

fn did(seed: u8) -> crate::did::Did {
    let public = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key();
    let key = crate::algorithm::VerifyingKey::from_bytes(
        crate::algorithm::AlgorithmId::Ed25519,
        public.as_bytes(),
    );
    crate::did::Did::from_key(crate::did::DidMethod::Icn, &key.unwrap()).unwrap()
}

fn named(label: &str, serial: &str, key: u8, shares_name: bool) -> TriedDevice {
    let shown = [did(key)];
    TriedDevice::new(format!("{label} (serial {serial})"), PinOwner::Token)
        .with_serial(serial, if shares_name { Shares::Name } else { Shares::Nothing })
        .showing(if shares_name { &shown } else { &[] })
        .with_key(Some(&did(key)))
}

/// By this home; whether it was sent.
fn sends(home: &Device, device: &TriedDevice, pin: &'static str, answer: &Result<(), ()>) -> bool {
    let (place, read) = (Place::Variable("PIN".to_owned()), || Ok(pin.into()));
    let sent = AtomicUsize::new(0);
    let came = home.store.try_once(device, &place, false, read, |pin| {
        sent.fetch_add(1, Ordering::SeqCst);
        note(&pin, &answer.map_err(|()| wrong()));
        answer.map_err(|()| wrong())
    });
    // As the next process.
    forget_here(home);
    let sent = sent.into_inner() == 1;
    assert!(sent || refused_before(&came), "{came:?}");
    sent
}

#[test]
fn a_note_is_of_the_device_and_not_of_its_namesake() {
    let is_noted = |noted: &TriedDevice, asked: &TriedDevice| {
        let home = Device::new();
        assert!(sends(&home, noted, "wrong", &Err(())));
        let other_is_sent = sends(&home, asked, "wrong", &Err(()));
        // What a namesake takes has nothing forgotten either.
        let right_is_sent = sends(&home, asked, "right", &Ok(()));
        assert!(right_is_sent);
        assert_eq!(sends(&home, noted, "wrong", &Err(())), !other_is_sent);
        !other_is_sent
    };
    let one = named("a", "1", KEY, false);
    assert!(is_noted(&one, &one));
    // All keys of a token have one PIN, and a key is where it was when its token has
    // another label.
    assert!(is_noted(&one, &named("a", "1", OTHER_KEY, false)));
    assert!(is_noted(&one, &named("b", "1", KEY, false)));
    assert!(!is_noted(&one, &named("a", "2", KEY, false)));
    // Nor does it need a key: it is told by its serial number.
    assert!(is_noted(&one, &named("b", "1", OTHER_KEY, false)));
    // Where two have one name the key tells.
    let shared = named("a", "0", KEY, true);
    assert!(is_noted(&shared, &shared));
    assert!(is_noted(&shared, &named("b", "0", KEY, true)));
    assert!(!is_noted(&shared, &named("a", "0", OTHER_KEY, true)));
    // A key of a TPM is told by the salt of its PIN, whatever the TPM is called.
    let of_tpm = |name: &str, salt: &[u8]| {
        TriedDevice::new(name, PinOwner::KeyOfTpm)
            .with_parent(Some(b"parent"))
            .with_salt(Some(salt))
    };
    let home = Device::new();
    assert!(sends(&home, &of_tpm("host=a,port=1", b"salt"), "wrong", &Err(())));
    assert!(!sends(&home, &of_tpm("port=1,host=a", b"salt"), "wrong", &Err(())));
    assert!(sends(&home, &of_tpm("host=a,port=1", b"other"), "wrong", &Err(())));
}

/// Whatever of it is not known on one of the two sides.
#[test]
fn where_nothing_tells_two_devices_apart_nothing_is_sent_and_nothing_is_forgotten() {
    let token = |label: &str, shares| {
        TriedDevice::new(format!("{label} (serial 7)"), PinOwner::Token).with_serial("7", shares)
    };
    let slot = |number| Some(Slot { module: "/m.so".into(), number });
    let (alone, same_serial, same_name) =
        (token("a", Shares::Nothing), token("a", Shares::Serial), token("a", Shares::Name));
    let shows = |key| same_name.clone().showing(&[did(key)]);
    let in_slot = |number| same_name.clone().in_slot(slot(number));
    let of = |maker: &str| alone.clone().with_maker(maker.to_owned());
    use Sameness::{Another, Perhaps, Same};
    for (one, other, expected) in [
        // The serial number tells.
        (&alone, &token("b", Shares::Nothing), Same),
        (&of("x"), &of("x"), Same),
        (&of("x"), &alone, Same),
        (&of("x"), &of("y"), Perhaps),
        // The label does, of those that were seen side by side.
        (&same_serial, &same_serial, Same),
        (&same_serial, &token("b", Shares::Serial), Another),
        (&same_serial, &token("b", Shares::Nothing), Perhaps),
        // Then a key, or the slot.
        (&shows(KEY), &shows(KEY), Same),
        (&shows(KEY), &same_name.clone().with_key(Some(&did(KEY))), Same),
        (&shows(KEY), &token("b", Shares::Name).showing(&[did(KEY)]), Same),
        (&shows(KEY), &shows(OTHER_KEY), Another),
        (&in_slot(1), &in_slot(1), Same),
        (&in_slot(1), &in_slot(2), Another),
        // Where that is not known of both, nothing does.
        (&shows(KEY), &same_name, Perhaps),
        (&shows(KEY), &same_name.clone().with_key(Some(&did(OTHER_KEY))), Perhaps),
        (&in_slot(1), &same_name, Perhaps),
        (&same_name, &same_name, Perhaps),
        (&same_name, &alone, Perhaps),
    ] {
        for (noted, asked) in [(one, other), (other, one)] {
            let refusal = Refusal::doubt("id", 1, noted, &Place::Variable("PIN".into()).mark(), 0);
            assert_eq!(refusal.sameness(asked), expected, "{noted:?}\n{asked:?}");
        }
    }
    // Two homes with nothing but a state directory in common.
    let (one, other, _) = two_homes(PinOwner::Token);
    assert!(sends(&one, &same_name, "wrong", &Err(())));
    assert!(!sends(&other, &same_name, "wrong", &Err(())));
    assert!(sends(&other, &same_name, "right", &Ok(())));
    assert!(!sends(&one, &same_name, "wrong", &Err(())));
    // Somebody says that it is right there: by that home it is sent from then on.
    let (place, read) = (Place::Variable("PIN".to_owned()), || Ok("wrong".into()));
    let insisted = other.store.try_once(&same_name, &place, true, read, |pin| {
        note(&pin, &Ok(()));
        Ok(())
    });
    insisted.unwrap();
    for _ in 0..2 {
        assert!(sends(&other, &same_name, "wrong", &Ok(())));
        assert!(!sends(&one, &same_name, "wrong", &Err(())));
    }
}

/// Whoever shares a home or a state directory knows what was refused.
#[test]
fn a_refused_pin_is_known_by_whoever_shares_a_home_or_a_state_directory() {
    for owner in [PinOwner::Token, PinOwner::TokenOfTpm, PinOwner::KeyOfTpm] {
        let (one, other, device) = two_homes(owner);
        let device = device.with_parent(Some(b"parent")).with_salt(Some(b"salt"));
        assert!(sends(&one, &device, "wrong", &Err(())));
        // Another home, and the same one with another directory, or none.
        assert!(!sends(&other, &device, "wrong", &Err(())));
        for state in [None, Some(one.source.with_file_name("elsewhere"))] {
            let store = one.store.clone().with_state_directory(state);
            let again = Device { store, ..Device::new() };
            assert!(!sends(&again, &device, "wrong", &Err(())), "{owner:?}");
        }
        // A variable keeps each one.
        assert!(sends(&one, &device, "wrong too", &Err(())));
        for (home, pin) in [(&one, "wrong"), (&other, "wrong too"), (&other, "wrong")] {
            assert!(!sends(home, &device, pin, &Err(())), "{owner:?} {pin}");
        }
    }
}

/// A token that takes a right PIN counts anew: what one file has forgotten, no other one
/// brings back.
#[test]
fn what_is_forgotten_in_one_place_counts_in_no_other() {
    let (one, other, token) = two_homes(PinOwner::Token);
    let alone = Device { store: one.store.clone().with_state_directory(None), ..Device::new() };
    for (refused_in, taken_in) in [(&one, &alone), (&alone, &one), (&other, &one), (&one, &other)] {
        assert!(sends(refused_in, &token, "changed", &Err(())));
        assert!(sends(taken_in, &token, "right", &Ok(())));
        for home in [&one, &alone, &other] {
            // It was changed to this one meanwhile.
            assert!(sends(home, &token, "changed", &Ok(())));
        }
    }
}

#[test]
fn a_directory_of_a_device_that_is_not_safe_is_named_and_nothing_is_sent() {
    use std::os::unix::fs::PermissionsExt as _;
    let (one, _other, token) = two_homes(PinOwner::Token);
    assert!(sends(&one, &token, "wrong", &Err(())));
    let shared = token.shared(one.store.state_directory()).unwrap().noted.unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
    let place = Place::Variable("PIN".to_owned());
    let unsafe_one = one.store.try_once(&token, &place, true, || Ok("new".into()), |_| Ok(()));
    let Err(Error::Keystore(error @ KeystoreError::Unsafe { .. })) = unsafe_one else {
        panic!("{unsafe_one:?}")
    };
    assert!(error.to_string().contains(shared.to_str().unwrap()), "{error}");
    assert!(error.help().unwrap().contains("chmod"), "{error:?}");
    // Where there is none and nobody can make one, each home goes by itself.
    let nowhere = one.store.clone().with_state_directory(Some("/sys/state/icn-identity".into()));
    let alone = Device { store: nowhere, ..Device::new() };
    assert!(!sends(&alone, &token, "wrong", &Err(())));
}
