//! What was refused is noted, and so sent once.

use shuttle::rand::{Rng as _, thread_rng};
use shuttle::thread;

use super::*;
use crate::sync::belong_to;

#[test]
fn of_threads_and_processes_with_a_wrong_pin_one_sends_it() {
    with_device(PinOwner::KeyOfTpm, |world| {
        thread::scope(|scope| {
            // Two homes in each of two processes, or one home in both.
            let shared = thread_rng().gen_range(0..2);
            for (process, home, pin) in
                [(0, 0, "wrong"), (0, 1, "wrong"), (1, 1 - shared, "wrong"), (1, 0, "other")]
            {
                scope.spawn(move || {
                    belong_to(process);
                    let error = world.attempt(home, pin).unwrap_err();
                    assert!(error.is_wrong_pin() || is_refused_before(&error), "{error:?}");
                });
            }
        });
        assert_eq!((world.count("wrong"), world.count("other")), (1, 1));
        // No note was lost, wherever it is looked for.
        for process in [0, 1] {
            belong_to(process);
            for (home, pin) in [(0, "wrong"), (1, "wrong"), (0, "other"), (1, "other")] {
                assert!(is_refused_before(&world.attempt(home, pin).unwrap_err()));
            }
        }
        // In what they share, and in the home from which it was sent.
        assert_eq!(world.noted(), 4);
        world.attempt(0, "right").unwrap();
    });
}

/// Who sends alone shares the locks of a thread in its turn, and both write.
#[test]
fn notes_of_one_that_sends_alone_and_of_one_in_its_turn_are_both_kept() {
    with_device(PinOwner::Token, |world| {
        let pin = world.attempt(0, "right").unwrap();
        *world.right.lock().unwrap() = "changed";
        thread::scope(|scope| {
            scope.spawn(|| {
                let alone = pin.answer().alone().unwrap();
                world.send(&pin).unwrap_err();
                drop(alone);
            });
            scope.spawn(|| assert!(world.attempt(0, "wrong").unwrap_err().is_wrong_pin()));
        });
        assert_eq!(world.noted(), 4);
        belong_to(1);
        for pin in ["right", "wrong"] {
            for home in [0, 1] {
                assert!(is_refused_before(&world.attempt(home, pin).unwrap_err()));
            }
        }
    });
}

/// An open identity has its PIN, which somebody has changed since: it is sent again by itself
/// after a loss, and by another process that opens the same key.
#[test]
fn a_pin_that_is_sent_again_by_itself_and_by_another_process_is_refused_once() {
    with_device(PinOwner::Token, |world| {
        let pin = Arc::new(world.attempt(0, "right").unwrap());
        *world.right.lock().unwrap() = "changed";
        world.sent.lock().unwrap().clear();
        thread::scope(|scope| {
            for _ in 0..2 {
                let pin = Arc::clone(&pin);
                scope.spawn(move || {
                    // As a token does it, whose lock nobody else has.
                    let Ok(_alone) = pin.answer().alone() else { return };
                    if pin.answer().look().is_ok() && world.count("right") == 0 {
                        world.send(&pin).unwrap_err();
                    }
                });
            }
            for home in [0, 1] {
                scope.spawn(move || {
                    belong_to(1);
                    world.attempt(home, "right").unwrap_err();
                });
            }
        });
        assert_eq!(world.count("right"), 1);
        belong_to(1);
        assert!(is_refused_before(&world.attempt(1, "right").unwrap_err()));
        world.attempt(1, "changed").unwrap();
    });
}
