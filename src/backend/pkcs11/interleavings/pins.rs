//! A wrong PIN is sent once, whatever threads do with it at the same time.

use shuttle::rand::{Rng as _, thread_rng};
use shuttle::thread;

use super::{Which, with_token};
use crate::signer::DidSigner as _;
use crate::sync::Arc;

/// How a wrong PIN is answered: by a code of its own, or by one that says nothing, after which
/// the flags do, of the first one.
const ANSWERS: [&str; 3] = ["CKR_PIN_INCORRECT", "CKR_PIN_LEN_RANGE", "CKR_FUNCTION_FAILED"];

fn of<T: Copy>(all: &[T]) -> T {
    all[thread_rng().gen_range(0..all.len())]
}

/// By backends of their own, of two keys.
#[test]
fn of_threads_that_open_keys_with_a_wrong_pin_one_sends_it() {
    with_token(|world| {
        world.script(&format!("pin-is right\ntries 9\nwrong-pin {}", of(&ANSWERS[..2])));
        thread::scope(|scope| {
            for (which, pin) in [
                (Which::Plain, "wrong"),
                (Which::Always, "wrong"),
                (Which::Plain, "other"),
                (Which::Plain, "right"),
            ] {
                scope.spawn(move || match world.open(which, pin) {
                    Ok(key) => {
                        assert_eq!(pin, "right");
                        key.sign(b"hello").unwrap();
                    }
                    Err(error) => {
                        assert!(pin != "right" && error.is_wrong_credential(), "{error:?}");
                    }
                });
            }
        });
        assert!(world.refusals("wrong") <= 1 && world.refusals("other") <= 1, "{:?}", world.sent());
        drop(world.open(Which::Plain, "right").unwrap());
        for _ in 0..2 {
            world.open(Which::Plain, "wrong").unwrap_err();
        }
        assert_eq!(world.refusals("wrong"), 1, "{:?}", world.sent());
    });
}

/// Somebody changes the PIN under open keys: a signature that logs in again after a loss, one
/// that gives the PIN for itself, and who opens a key by it, all have the old one to send.
#[test]
fn a_pin_that_was_changed_is_refused_once_whoever_sends_it() {
    with_token(|world| {
        let each = of(&["", "login-per-session\n"]);
        let fault = of(&["", "on C_SignInit 1 kill-all", "on C_SignInit 2 logout"]);
        world.script(&format!("pin-is old\ntries 9\n{each}"));
        let plain = Arc::new(world.open(Which::Plain, "old").unwrap());
        let always = Arc::new(world.open(Which::Always, "old").unwrap());
        let changed = format!("pin-is new\ntries 9\nwrong-pin {}\n{each}{fault}", of(&ANSWERS));
        world.script(&changed);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| drop(plain.sign(b"hello")));
            }
            scope.spawn(|| drop(always.sign(b"hello")));
            scope.spawn(|| drop(world.open(Which::Plain, "old")));
        });
        assert_eq!(world.refusals("old"), 1, "{:?}", world.sent());
        // And by nobody later.
        for key in [&plain, &always] {
            let _ = key.sign(b"hello");
        }
        let _ = world.open(Which::Always, "old");
        assert_eq!(world.refusals("old"), 1, "{:?}", world.sent());
        // The new one opens it all.
        let opened = world.open(Which::Plain, "new").unwrap();
        for key in [&*plain, &*always, &opened] {
            key.sign(b"hello").unwrap();
        }
        assert_eq!(world.refusals("new"), 0, "{:?}", world.sent());
    });
}
