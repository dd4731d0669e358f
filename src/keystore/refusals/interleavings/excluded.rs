//! From the look at a device to its answer one is alone.

use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::thread;

use super::super::alone::Alone;
use super::super::one::OneTry;
use super::*;
use crate::sync::{AtomicBool, belong_to};

/// How many send now, of one process and of the other.
#[derive(Default)]
struct Inside([AtomicUsize; 2]);

impl Inside {
    fn enter(&self, process: usize, most_here: usize) {
        let here = self.0[process].fetch_add(1, Ordering::SeqCst) + 1;
        let there = self.0[1 - process].load(Ordering::SeqCst);
        assert!(here <= most_here && there == 0, "{here} here and {there} there");
        step();
        self.0[process].fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn of_those_that_send_alone_one_does_whatever_directories_they_have() {
    with_device(PinOwner::Token, |world| {
        let inside = Inside::default();
        let (state, home) = (world.dir.path().join("state"), [world.home(0), world.home(1)]);
        thread::scope(|scope| {
            for (process, directories) in [
                (0, vec![state.clone(), home[0].clone()]),
                (0, vec![state.clone(), home[1].clone()]),
                (1, vec![state.clone(), home[0].clone()]),
                (1, vec![state.clone()]),
            ] {
                let inside = &inside;
                scope.spawn(move || {
                    belong_to(process);
                    let says = Arc::new(AtomicBool::new(false));
                    let alone = Alone::begin(&directories, &says).ok().expect("alone in the end");
                    inside.enter(process, 1);
                    drop(alone);
                });
            }
        });
    });
}

/// A file system has no locks, or there is no directory.
#[test]
fn where_no_directory_can_be_locked_threads_take_turns_all_the_same() {
    with_device(PinOwner::Unknown, |world| {
        let inside = Inside::default();
        thread::scope(|scope| {
            for _ in 0..3 {
                let inside = &inside;
                scope.spawn(move || {
                    let store = IdentityStore::new(world.dir.path().join("away/home"));
                    let turn = OneTry::begin(&store, &world.device).unwrap();
                    assert!(!turn.is_alone());
                    inside.enter(0, 1);
                    drop(turn);
                });
            }
        });
    });
}

/// A thread of this process that has a turn shares its lock, and one of another does not.
#[test]
fn who_sends_alone_waits_for_the_turns_of_another_process() {
    with_device(PinOwner::Token, |world| {
        let inside = Inside::default();
        thread::scope(|scope| {
            for (process, home) in [(0, 0), (0, 1), (1, 0)] {
                let inside = &inside;
                scope.spawn(move || {
                    belong_to(process);
                    let turn = OneTry::begin(&world.store(home), &world.device).unwrap();
                    assert!(turn.is_alone());
                    // Beside one that sends alone, in the same process.
                    inside.enter(process, 2);
                    drop(turn);
                });
            }
            let inside = &inside;
            scope.spawn(move || {
                let turn = OneTry::begin(&world.store(0), &world.device).unwrap();
                let directories = turn.directories().to_vec();
                drop(turn);
                let says = Arc::new(AtomicBool::new(false));
                let alone = Alone::begin(&directories, &says).ok().expect("alone in the end");
                inside.enter(0, 2);
                drop(alone);
            });
        });
    });
}
