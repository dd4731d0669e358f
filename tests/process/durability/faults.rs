//! The disk fails: each call that has to do with files, in turn, with an error that a disk can
//! give to it. Calls of one name have the errors in turn, from another one on each time; with
//! `ICN_TEST_EVERY_CALL`, each call has each of them.

use std::collections::HashMap;

use support::home::FAST;

use super::repeats::{dice, every_call_is_wanted};
use super::subject::{Deed, State, Subject, for_each};
use super::trace::Call;

const ERRORS: [&str; 3] = ["ENOSPC", "EIO", "EROFS"];
const NAMES: [&str; 13] = [
    "openat",
    "write",
    "fsync",
    "rename",
    "fchmod",
    "unlink",
    "mkdir",
    "chmod",
    "read",
    "flock",
    "ftruncate",
    "getdents64",
    "statx",
];

fn failing_everywhere(deed: Deed) {
    let subject = Subject::new(deed);
    let calls = subject.undisturbed();
    let place = subject.directory();
    let files: Vec<&Call> = calls
        .iter()
        .filter(|call| NAMES.contains(&call.name.as_str()) && call.names(place) && !call.failed())
        .collect();
    let kinds: Vec<&str> = ["openat", "write", "fsync", "rename", "fchmod"]
        .into_iter()
        .filter(|kind| files.iter().any(|call| call.name == *kind))
        .collect();
    assert_eq!(kinds.len(), 5, "{deed:?}: only {kinds:?}");
    // Nothing that is only read finds a disk full or read-only.
    let errors = |call: &Call| if call.mutates() || call.name == "fsync" { 0..3 } else { 1..2 };
    let (mut dice, mut turns) = (dice(), HashMap::new());
    let mut cases: Vec<(&Call, &str)> = vec![];
    for call in files {
        let errors = &ERRORS[errors(call)];
        if every_call_is_wanted() {
            cases.extend(errors.iter().map(|error| (call, *error)));
        } else {
            let turn =
                turns.entry((&call.name, errors.len())).or_insert_with(|| dice.below(errors.len()));
            cases.push((call, errors[*turn % errors.len()]));
            *turn += 1;
        }
    }

    let survived = for_each(deed, &cases, |subject, (call, error)| {
        let (ran, _) = subject.traced(&call.failing(error));
        let what = format!("{deed:?}: {error} at {}: {} {}", call.text, ran.code, ran.err);
        assert!(ran.code == 0 || ran.code == 1, "{what}");
        let changed = ran.err.contains("the passphrase was changed, but");
        let told = ran.code != 0 || ran.err.contains("due for renewal, which failed");
        if told {
            // Which file, and what to do.
            assert!(ran.err.contains(subject.directory().to_str().unwrap()), "{what}");
            assert!(ran.err.contains("try: "), "{what}");
        }
        let expected = if !told || changed { State::New } else { State::Old };
        if deed == Deed::Init && expected == State::Old {
            assert_eq!(subject.config(), FAST, "{what}");
        }
        assert_eq!(subject.state(), expected, "{what}");
        !told
    });
    let survived = survived.iter().filter(|survived| **survived).count();
    println!("{deed:?}: {} failures, {survived} without effect", cases.len());
}

#[test]
fn a_failing_disk_makes_no_half_identity() {
    failing_everywhere(Deed::Init);
}

#[test]
fn a_failing_disk_keeps_the_old_identity_of_a_renewal() {
    failing_everywhere(Deed::Renewal);
}

#[test]
fn a_failing_disk_keeps_the_old_passphrase() {
    failing_everywhere(Deed::Change);
}

#[test]
fn a_disk_that_fails_while_a_torn_write_is_repaired_keeps_the_old_passphrase() {
    failing_everywhere(Deed::Again);
}
