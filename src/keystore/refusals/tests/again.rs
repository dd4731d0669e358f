//! A PIN that is sent again, by whoever holds the device and has no turn.

use std::fs::File;
use std::time::{Duration, Instant};

use super::*;

/// A PIN that was accepted, and whose turn has ended.
fn accepted(device: &Device) -> Pin {
    let place = Place::File(device.source.clone());
    let read = || Ok(read_credential(&device.source)?);
    let sent = device.store.try_once(&token(), &place, false, read, |pin| {
        pin.answer().sending(WithoutNote::MayNot).unwrap().accepted();
        Ok(pin)
    });
    sent.unwrap()
}

/// As another process would have it: whatever this one has locked is locked for it.
fn is_free(device: &Device) -> bool {
    File::open(device.store.home()).unwrap().try_lock().is_ok()
}

#[test]
fn who_sends_a_pin_again_waits_for_a_process_that_tries_one_and_keeps_others_out() {
    let device = Device::new();
    let pin = accepted(&device);
    assert!(is_free(&device));
    let other = File::open(device.store.home()).unwrap();
    other.lock().unwrap();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(400));
            drop(other);
        });
        let _alone = pin.answer().alone().unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(400));
        assert!(!is_free(&device));
    });
    assert!(is_free(&device));
}

/// They may wait for the device, which is held by whoever sends it again.
#[test]
fn who_sends_a_pin_again_waits_for_no_thread_that_has_a_turn() {
    let device = Device::new();
    let pin = accepted(&device);
    let trying = OneTry::begin(&device.store, &token()).unwrap();
    let begun = Instant::now();
    let alone = pin.answer().alone().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    // Its turn ends, and others stay out.
    drop(trying);
    assert!(!is_free(&device));
    // So does the next thread.
    std::thread::scope(|scope| {
        let next = scope.spawn(|| OneTry::begin(&device.store, &token()).map(drop));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!next.is_finished());
        drop(alone);
        next.join().unwrap().unwrap();
    });
    assert!(is_free(&device));
}

/// Of several threads that wait for another process one gets the lock, and shares it.
#[test]
fn a_turn_and_a_sending_that_wait_for_one_process_both_go_on() {
    let device = Device::new();
    let pin = accepted(&device);
    for _ in 0..8 {
        let other = File::open(device.store.home()).unwrap();
        other.lock().unwrap();
        let connection = std::sync::Mutex::new(());
        let begun = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _trying = OneTry::begin(&device.store, &token()).unwrap();
                let _opened = connection.lock();
            });
            scope.spawn(|| {
                let _held = connection.lock();
                let _alone = pin.answer().alone().unwrap();
            });
            std::thread::sleep(Duration::from_millis(30));
            drop(other);
        });
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    }
}

#[test]
fn of_two_that_send_a_pin_again_one_does_over_whichever_connection() {
    let device = Device::new();
    let (one, other) = (accepted(&device), accepted(&device));
    let alone = one.answer().alone().unwrap();
    std::thread::scope(|scope| {
        let next = scope.spawn(|| other.answer().alone().map(drop));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!next.is_finished());
        drop(alone);
        next.join().unwrap().unwrap();
    });
}

#[test]
fn where_nothing_can_be_locked_a_pin_is_sent_again_all_the_same() {
    let device = Device::new();
    let pin = accepted(&device);
    fs::remove_dir_all(device.store.home()).unwrap();
    let _alone = pin.answer().alone().unwrap();
    let _of_nobody = Pin::new("0000").answer().alone().unwrap();
}

/// Of another process, in a home of its own; they share a directory for the device.
fn of_another(device: &Device) -> (Device, Device) {
    let state = device.store.home().join("state");
    let with_state = |device: Device| {
        let store = IdentityStore::new(device.store.home());
        let age = crate::config::AgeConfig { work_factor: 10, ..Default::default() };
        let store = store.with_age_config(age).with_state_directory(Some(state.clone()));
        Device { store, ..device }
    };
    (with_state(Device::new()), with_state(Device::new()))
}

fn barred(pin: &Pin) -> Option<String> {
    let _alone = pin.answer().alone().unwrap();
    let error = pin.answer().look().err()?;
    Some(match error.source.downcast_ref() {
        Some(KeystoreError::RefusedBefore { source_name, .. }) => format!("refused: {source_name}"),
        Some(KeystoreError::PinInDoubt { .. }) => "in doubt".to_owned(),
        Some(KeystoreError::Refusals { .. }) => "unreadable".to_owned(),
        _ => panic!("{error:?}"),
    })
}

/// As a process that is killed leaves it.
fn leave_in_doubt(device: &Device) {
    let place = Place::File(device.source.clone());
    let read = || Ok(read_credential(&device.source)?);
    let sent = device.store.try_once(&token(), &place, true, read, |pin| {
        drop(pin.answer().sending(WithoutNote::MayNot).unwrap());
        Ok(())
    });
    sent.unwrap();
}

#[test]
fn what_was_noted_before_the_device_took_a_pin_bars_it_no_more_and_what_comes_later_does() {
    let scratch = Device::new();
    let (device, other) = of_another(&scratch);
    // It cannot be removed as a file that is not understood is.
    fs::create_dir(device.note()).unwrap();
    let place = Place::File(device.source.clone());
    let read = || Ok(read_credential(&device.source)?);
    let held = std::cell::RefCell::new(None);
    let sent = device.store.try_once(&token(), &place, true, read, |pin| {
        pin.answer().sending(WithoutNote::MayNot).unwrap().accepted();
        *held.borrow_mut() = Some(pin);
        Ok(())
    });
    sent.unwrap();
    let pin = held.take().unwrap();
    assert_eq!(barred(&pin), None);
    fs::remove_dir(device.note()).unwrap();
    // Its own note, which could not be taken back, say.
    let sending = pin.answer().sending(WithoutNote::MayNot).unwrap();
    assert_eq!(barred(&pin), None);
    sending.accepted();
    other.put("another-1");
    other.attempt(false, Err(wrong())).unwrap_err();
    assert_eq!(barred(&pin), None);
    other.put("wrong");
    leave_in_doubt(&other);
    assert_eq!(barred(&pin).as_deref(), Some("in doubt"));
    other.attempt(true, Err(wrong())).unwrap_err();
    assert!(barred(&pin).unwrap().starts_with("refused: "));
    file::write(&device.note(), b"{").unwrap();
    assert_eq!(barred(&pin).as_deref(), Some("unreadable"));
    fs::remove_file(device.note()).unwrap();
    other.attempt(true, Ok(())).unwrap();
    assert_eq!(barred(&pin), None);
}

#[test]
fn a_pin_by_hand_is_not_sent_again_by_itself_where_it_was_refused_or_is_in_doubt() {
    let scratch = Device::new();
    let (device, other) = of_another(&scratch);
    let given = || {
        let credentials = Credentials::pin(Pin::new("wrong"));
        device.store.try_given(&token(), credentials, false, |credentials| {
            let pin = credentials.pin_for(crate::backend::BackendKind::Pkcs11)?.clone();
            pin.answer().sending(WithoutNote::MayNot).unwrap().accepted();
            Ok(pin)
        })
    };
    let pin = given().unwrap();
    assert_eq!(barred(&pin), None);
    leave_in_doubt(&other);
    assert_eq!(barred(&pin).as_deref(), Some("in doubt"));
    // Whoever gives it once more says that it is to be tried.
    let again = given().unwrap();
    assert_eq!([barred(&pin), barred(&again)], [None, None]);
    other.attempt(false, Err(wrong())).unwrap_err();
    assert!(barred(&again).unwrap().starts_with("refused: a prompt or the program"));
}
