//! Several homes on one device.

use super::*;
use crate::file::names;

/// Two homes of one user, which share a directory.
pub(super) fn two_homes(owner: PinOwner) -> (Device, Device, TriedDevice) {
    let (mut one, mut other) = (Device::new(), Device::new());
    let state = one.source.with_file_name("state");
    for device in [&mut one, &mut other] {
        device.store = device.store.clone().with_state_directory(Some(state.clone()));
    }
    (one, other, TriedDevice::new("token", owner))
}

#[test]
fn of_two_homes_on_one_token_one_sends_a_wrong_pin() {
    let (one, other, token) = two_homes(PinOwner::Token);
    let sent = AtomicUsize::new(0);
    let attempt = |device: &Device| {
        let (place, read) = (Place::File(device.source.clone()), || Ok("wrong".into()));
        device.store.try_once(&token, &place, false, read, |pin| {
            sent.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(30));
            note(&pin, &Err(wrong()));
            Err::<(), _>(wrong())
        })
    };
    std::thread::scope(|scope| {
        for turn in 0..8 {
            let device = if turn % 2 == 0 { &one } else { &other };
            scope.spawn(|| attempt(device).unwrap_err());
        }
    });
    assert_eq!(sent.load(Ordering::SeqCst), 1);
    // And what one home has it accepted for, the other one may send.
    other.attempt(true, Ok(())).unwrap();
    one.attempt(false, Ok(())).unwrap();
    assert!(!one.note().exists() && !other.note().exists());
}

/// Each key of a TPM has a PIN of its own; the count is one.
#[test]
fn two_homes_on_one_tpm_wait_for_each_other_and_know_nothing_of_each_others_pins() {
    let (one, other, tpm) = two_homes(PinOwner::KeyOfTpm);
    let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for device in [&one, &other] {
            let (begun, ended) = (&begun, &ended);
            let salt = device.store.home().to_str().unwrap();
            let tpm = tpm.clone().with_salt(Some(salt.as_bytes()));
            scope.spawn(move || {
                let (place, read) = (Place::File(device.source.clone()), || Ok("same".into()));
                let sent = device.store.try_once(&tpm, &place, false, read, |pin| {
                    let before = begun.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(before, ended.load(Ordering::SeqCst), "two at a time");
                    std::thread::sleep(std::time::Duration::from_millis(30));
                    ended.fetch_add(1, Ordering::SeqCst);
                    note(&pin, &Err(wrong()));
                    Err::<(), _>(wrong())
                });
                assert!(sent.unwrap_err().is_wrong_pin());
            });
        }
    });
    assert_eq!(begun.load(Ordering::SeqCst), 2);
}

/// A home that is read-only, and a disk that is full: what the device's own directory
/// takes is noted.
#[test]
fn what_the_home_does_not_take_is_noted_beside_the_device() {
    let (one, other, token) = two_homes(PinOwner::Token);
    cannot_be_noted(&one);
    cannot_be_noted(&other);
    let (place, read) = (Place::File(one.source.clone()), || Ok("wrong".into()));
    let attempt = |device: &Device| {
        device.store.try_once(&token, &place, false, read, |pin| {
            pin.answer().sending(WithoutNote::MayNot).unwrap().refused();
            Err::<(), _>(wrong())
        })
    };
    assert!(attempt(&one).unwrap_err().is_wrong_pin());
    // Nor by what this process remembers.
    one::forget(OneTry::begin(&one.store, &token).unwrap().noted_at(), |_| true);
    for device in [&one, &other] {
        let Err(Error::Keystore(KeystoreError::RefusedBefore { note, .. })) = attempt(device)
        else {
            panic!("sent again")
        };
        assert!(note.to_str().unwrap().contains("/state/token-"), "{}", note.display());
    }
}

/// Each home would go by itself, and nobody would be told.
#[test]
fn a_state_directory_that_is_there_and_cannot_be_used_is_named_and_nothing_is_sent() {
    type Spoil = fn(&Path, &Path);
    let link: Spoil = |_, at| std::os::unix::fs::symlink("/nonexistent", at).unwrap();
    let file: Spoil = |_, at| fs::write(at, "").unwrap();
    for spoil in [link, file] {
        for of_all in [true, false] {
            let (one, _other, token) = two_homes(PinOwner::Token);
            let of_token = token.shared(one.store.state_directory()).unwrap().noted.unwrap();
            let state = of_token.parent().unwrap();
            fs::remove_dir_all(&of_token).unwrap();
            let at = if of_all {
                fs::remove_dir_all(state).unwrap();
                state
            } else {
                &of_token
            };
            spoil(state, at);
            let refused = one.attempt(true, Ok(()));
            let Err(Error::Keystore(error @ KeystoreError::Unsafe { .. })) = refused else {
                panic!("{refused:?}")
            };
            assert!(error.to_string().contains(at.to_str().unwrap()), "{error}");
            let help = error.help().unwrap();
            assert!(help.contains("XDG_STATE_HOME") && help.contains("move"), "{help}");
            assert_eq!(one.sent(), 0);
        }
    }
}

/// It may hold what another home has noted.
#[test]
fn a_state_directory_that_cannot_be_looked_for_is_named_and_nothing_is_sent() {
    let (one, _other, token) = two_homes(PinOwner::Token);
    let beside = |name: &str| one.source.with_file_name(name);
    fs::write(beside("file"), "").unwrap();
    std::os::unix::fs::symlink("nowhere", beside("dangling")).unwrap();
    std::os::unix::fs::symlink("loop", beside("loop")).unwrap();
    for (state, said) in [
        ("file/icn-identity", "not a directory"),
        ("file/a/b/icn-identity", "not a directory"),
        ("dangling/icn-identity", "leads nowhere"),
        ("dangling/a/b/icn-identity", "leads nowhere"),
        ("loop/icn-identity", "symbolic links"),
    ] {
        let state = beside(state);
        let store = one.store.clone().with_state_directory(Some(state.clone()));
        let device = Device { store, source: one.source.clone(), ..Device::new() };
        for again in [false, true] {
            let refused = device.attempt(again, Ok(()));
            let Err(Error::Keystore(error @ KeystoreError::Unsafe { .. })) = refused else {
                panic!("{refused:?}")
            };
            let text = error.to_string();
            assert!(text.contains(state.to_str().unwrap()) && text.contains(said), "{text}");
            assert!(error.help().unwrap().contains("XDG_STATE_HOME"), "{error:?}");
        }
        assert_eq!(device.sent(), 0);
        assert!(!beside("nowhere").exists());
    }
    // What is only missing is made, at the end of whatever links.
    std::os::unix::fs::symlink(one.source.parent().unwrap(), beside("link")).unwrap();
    let store = one.store.clone().with_state_directory(Some(beside("link/new/icn-identity")));
    let shared = token.shared(store.state_directory()).unwrap();
    assert!(shared.noted.unwrap().is_dir() && beside("new/icn-identity").is_dir());
}

/// Another home would send it again.
#[test]
fn what_the_state_directory_does_not_take_is_as_what_cannot_be_noted() {
    let (one, other, token) = two_homes(PinOwner::Token);
    let of_token = token.shared(one.store.state_directory()).unwrap().noted.unwrap();
    fs::create_dir(of_token.join(".refused.lock")).unwrap();
    let sends = |device: &Device, without_note| {
        let (place, read) = (Place::File(device.source.clone()), || Ok("wrong".into()));
        let sent = device.store.try_once(&token, &place, false, read, |pin| {
            Ok(pin.answer().sending(without_note).map(|sending| sending.not_sent()).is_ok())
        });
        sent.unwrap()
    };
    for home in [&one, &other] {
        assert!(!sends(home, WithoutNote::MayNot));
        // Nor is it in doubt.
        assert!(!home.note().exists());
        assert!(sends(home, WithoutNote::MayBeSent));
    }
}

/// As an earlier version has noted it there, or as it was before this was a part of a home.
#[test]
fn what_is_noted_in_a_part_of_a_home_counts_in_all_of_it_and_outlives_the_part() {
    for part in [names::STAGING, names::OLD] {
        for killed in [false, true] {
            let device = Device::new();
            let home = device.store.home().to_owned();
            let of_part = match part {
                names::STAGING => device.store.staging(),
                _ => device.store.old(),
            };
            // Nothing says yet that it is in a home.
            file::private_dir(of_part.home()).unwrap();
            let token = TriedDevice::new("token", PinOwner::Token);
            let place = Place::File(device.source.clone());
            let tried = |store: &IdentityStore, answer: Result<(), Error>| {
                let read = || Ok(read_credential(&device.source)?);
                store.try_once(&token, &place, false, read, |pin| {
                    device.sent.fetch_add(1, Ordering::SeqCst);
                    note(&pin, &answer);
                    answer
                })
            };
            tried(&of_part, Err(wrong())).unwrap_err();
            let (own, of_home) = (Notes::of(of_part.home()), Notes::of(&home));
            assert!(own.path().exists() && !of_home.path().exists());
            file::write(&home.join(names::MIGRATION), b"{}").unwrap();
            of_part.keep_refusals().unwrap();
            assert_eq!(of_home.read().unwrap().refused.len(), 1);
            assert!(!own.path().exists());
            if killed {
                // Between the two.
                fs::copy(of_home.path(), own.path()).unwrap();
                of_part.keep_refusals().unwrap();
                assert_eq!(of_home.read().unwrap().refused.len(), 1);
            }
            fs::remove_dir_all(of_part.home()).unwrap();
            for store in [&device.store, &of_part] {
                tried(store, Ok(())).unwrap_err();
            }
            assert_eq!(device.sent(), 1, "{part}");
            // What cannot be read is not removed with the part either.
            file::private_dir(of_part.home()).unwrap();
            file::write(&own.path(), b"cut").unwrap();
            assert!(matches!(of_part.keep_refusals(), Err(KeystoreError::Refusals { .. })));
            tried(&device.store, Ok(())).unwrap_err();
            assert_eq!(device.sent(), 1, "{part}");
        }
    }
}

/// It stays there, and counts as if it were noted in the home.
#[test]
fn what_a_home_that_takes_no_note_has_in_its_parts_is_read_there() {
    for part in [names::STAGING, names::OLD] {
        let device = Device::new();
        let of_part = device.store.home().join(part);
        let noted = {
            device.attempt(false, Err(wrong())).unwrap_err();
            let noted = fs::read(device.note()).unwrap();
            fs::remove_file(device.note()).unwrap();
            fs::remove_file(device.store.home().join(".refused.lock")).unwrap();
            forget_here(&device);
            noted
        };
        file::private_dir(&of_part).unwrap();
        file::write(&of_part.join(names::REFUSED), &noted).unwrap();
        cannot_be_noted(&device);
        let place = Place::File(device.source.clone());
        let sends = |pin: &'static str| {
            device.store.try_once(
                &token(),
                &place,
                false,
                || Ok(pin.into()),
                |pin| {
                    pin.answer().sending(WithoutNote::MayBeSent).unwrap().accepted();
                    Ok(())
                },
            )
        };
        assert!(refused_before(&sends("wrong")), "{part}");
        // Only that one.
        sends("right").unwrap();
    }
}

/// Whoever says that his PIN is right has what is in its way taken away, as in the home.
#[test]
fn what_is_not_understood_in_a_part_of_a_home_is_in_the_way_until_somebody_insists() {
    for part in [names::STAGING, names::OLD] {
        let device = Device::new();
        let of_part = device.store.home().join(part);
        file::private_dir(&of_part).unwrap();
        let note = of_part.join(names::REFUSED);
        for again in [1, 2] {
            file::write(&note, b"cut").unwrap();
            let refused = device.attempt(false, Ok(()));
            assert!(
                matches!(&refused, Err(Error::Keystore(KeystoreError::Refusals { path, .. })) if *path == note),
                "{refused:?}"
            );
            // A PIN that is refused leaves it there.
            device.attempt(true, Err(wrong())).unwrap_err();
            assert!(note.exists());
            device.attempt(true, Ok(())).unwrap();
            assert!(!note.exists(), "{part}");
            device.attempt(false, Ok(())).unwrap();
            assert_eq!(device.sent(), 3 * again);
        }
    }
}

/// Homes are kept in it, under whatever names.
#[test]
fn a_home_that_is_called_like_a_part_of_one_has_notes_of_its_own() {
    let device = Device::new();
    let home = device.store.home().parent().unwrap().join(names::OLD);
    let store = IdentityStore::new(&home);
    assert_eq!(home::of(&home), home);
    store.keep_refusals().unwrap();
    assert_eq!(home::of(device.store.home()), device.store.home());
}
