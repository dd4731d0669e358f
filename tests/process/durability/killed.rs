//! A writer is killed at every system call in turn, from the first that can
//! change a file on.

use super::subject::{Deed, State, Subject, for_each};
use super::trace::Call;

fn killed_everywhere(deed: Deed) {
    let calls = Subject::new(deed).undisturbed();
    let first = calls.iter().position(Call::mutates).unwrap();
    let window = &calls[first..];
    let files = window.iter().filter(|call| call.mutates()).count();
    assert!(files >= 12, "{deed:?}: only {files} calls that change a file: {window:#?}");

    let ends = for_each(deed, window, |subject, call| {
        let (name, nth) = (&call.name, call.nth);
        let inject = format!("inject={name}:signal=SIGKILL:when={nth}");
        let trace = format!("trace=rename,{name}");
        let (ran, calls) = subject.traced(&["-e", &trace, "-e", &inject]);
        // How often age draws random characters differs from run to run.
        let killed = subject.was_killed();
        assert!(killed || name == "getrandom", "{deed:?}: not killed at {name} {nth}: {}", ran.err);
        let age = subject.home().join("identity.age");
        let renamed = |call: &Call| call.quoted().get(1) == age.to_str().as_ref() && !call.killed();
        let expected = if calls.iter().any(renamed) { State::New } else { State::Old };
        // One rename makes the difference, and no other moment.
        assert_eq!(subject.state(), expected, "{deed:?}: at {name} {nth}");
        (killed, expected)
    });
    let killed = ends.iter().filter(|(killed, _)| *killed).count();
    let new = ends.iter().filter(|(_, state)| *state == State::New).count();
    assert!(killed + 4 >= window.len() && new > 10 && new < window.len(), "{deed:?}: {ends:?}");
    println!("{deed:?}: killed at {killed} of {} calls; {new} times it was done", window.len());
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
