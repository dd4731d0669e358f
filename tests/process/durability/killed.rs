//! A writer is killed before each system call in turn that can change something outside of
//! it, and when it is done. What it leaves when it is killed at any call between is what it
//! leaves at the next of those.

use super::subject::{Deed, State, Subject, for_each};
use super::trace::Call;

fn killed_everywhere(deed: Deed) {
    let calls = Subject::new(deed).undisturbed();
    let window: Vec<&Call> =
        calls.iter().filter(|call| call.mutates() || call.name == "exit_group").collect();
    assert!(window.len() > 12, "{deed:?}: only {window:#?}");

    let ends = for_each(deed, &window, |subject, call| {
        let (name, nth) = (&call.name, call.nth);
        let ((ran, calls), killed) = subject.killed_before(call);
        assert!(killed, "{deed:?}: not killed at {name} {nth}: {}", ran.err);
        let age = subject.home().join("identity.age");
        let renamed = |call: &Call| call.quoted().get(1) == age.to_str().as_ref() && !call.killed();
        let expected = if calls.iter().any(renamed) { State::New } else { State::Old };
        // One rename makes the difference, and no other moment.
        assert_eq!(subject.state(), expected, "{deed:?}: at {name} {nth}");
        expected
    });
    let new = ends.iter().filter(|state| **state == State::New).count();
    assert!(new > 1 && new < window.len(), "{deed:?}: {ends:?}");
    assert_eq!(ends.last(), Some(&State::New), "{deed:?}");
    println!("{deed:?}: killed at {} calls; {new} times it was done", window.len());
}

#[test]
fn a_killed_init_leaves_no_identity_or_a_whole_one() {
    killed_everywhere(Deed::Init);
}

#[test]
fn a_killed_renewal_leaves_the_old_or_the_new() {
    killed_everywhere(Deed::Renewal);
}

#[test]
fn a_killed_change_of_passphrase_leaves_the_old_or_the_new() {
    killed_everywhere(Deed::Change);
}

#[test]
fn a_writer_killed_while_it_repairs_what_another_left_leaves_the_old_or_the_new() {
    killed_everywhere(Deed::Again);
}
