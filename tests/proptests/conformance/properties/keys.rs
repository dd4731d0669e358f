//! Keys that are made, opened and closed, and used by many.

use std::thread;

use icn_identity::{DidKey, DidSigner};

use super::signs;
use crate::conformance::fixture::in_each_form;
use crate::conformance::kept::{self, find, try_open};
use crate::conformance::{Fixture, Kept, OpenKey};

const THREADS: u8 = 4;

pub(crate) fn lives<F: Kept>(it: &F) {
    let (made, locator) = it.make("made");
    assert_eq!(made.verifying_key().algorithm(), F::ALGORITHM);
    let did = made.did().clone();
    let key = F::Key::try_from(made).unwrap();
    signs(&key);
    assert_ne!(it.is_open(), Some(false));

    let sealed = key.close();
    assert_ne!(it.is_open(), Some(true));
    assert_eq!(*F::Key::did_of(&sealed), did);
    let key = try_open::<F::Key>(sealed, F::RIGHT).unwrap_or_else(|_| panic!("not opened"));
    signs(&key);
    // In its erased form it is the same, and comes back to its own type.
    let key = F::Key::try_from(Into::<DidKey>::into(key)).unwrap();
    drop(key);
    assert_ne!(it.is_open(), Some(true));

    let found = find(it, &locator, &did).unwrap();
    assert_eq!(*F::Key::did_of(&found), did);
    let key = try_open::<F::Key>(found, F::RIGHT).unwrap_or_else(|_| panic!("not opened"));
    assert_eq!((key.did(), key.verifying_key()), (&did, did.verifying_key()));
    signs(&key);
    drop(key);
    assert_ne!(it.is_open(), Some(true));
}

pub(crate) fn threads_sign<F: Fixture>(it: &F) {
    in_each_form!(it, F, key => sign_in_threads(&key));
}

fn sign_in_threads<S: DidSigner>(signer: &S) {
    let key = signer.did().verifying_key();
    let sign = |thread: u8| {
        for round in 0..4 {
            let message = [thread, round];
            let signature = signer.sign(&message).unwrap();
            key.verify_strict(&message, &signature).unwrap();
            key.verify_strict(&[round, thread, 0], &signature).unwrap_err();
        }
    };
    thread::scope(|scope| {
        for number in 0..THREADS {
            scope.spawn(move || sign(number));
        }
    });
}

/// Each opens it and closes it again: nobody closes it for another, and nothing is left open.
pub(crate) fn threads_open<F: Kept>(it: &F) {
    // Made before they start.
    kept::place(it, "one");
    thread::scope(|scope| {
        for _ in 0..F::ROOM {
            scope.spawn(|| (0..5).for_each(|_| signs(&kept::open(it, "one"))));
        }
    });
    assert_ne!(it.is_open(), Some(true));
}
