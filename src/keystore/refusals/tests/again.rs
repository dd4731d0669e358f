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
