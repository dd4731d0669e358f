//! What is run in many orders of its steps locks and waits by the room `sync` alone: a lock of
//! another kind would be passed over by the checker, and a wait would never end.

use super::source::{self, Token};
use super::{nothing, sources};

/// The login registry, the pool, the notes of refused PINs, and what they wait for.
const CHECKED: [&str; 6] = [
    "src/backend/pkcs11.rs",
    "src/backend/pkcs11/",
    "src/backend/tpm/",
    "src/file/lock.rs",
    "src/keystore/refusals",
    "src/secret/answer.rs",
];

/// They measure, and send nothing.
const MEASURES: [&str; 2] = ["src/backend/pkcs11/doctor/", "src/backend/tpm/doctor.rs"];

/// Of a module of the standard library, what `sync` has instead.
const KEPT: [(&str, &[&str]); 3] = [
    ("sync", &["Barrier", "Condvar", "Mutex", "MutexGuard", "RwLock", "atomic", "mpsc"]),
    ("thread", &["park", "sleep", "yield_now"]),
    ("time", &["Instant"]),
];

/// The lines that name one of them: `std::sync::Mutex`, also among others in braces.
fn otherwise(tokens: &[Token]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, window) in tokens.windows(4).enumerate() {
        let [std, _, module, _] = window else { continue };
        let Some((_, kept)) = KEPT.iter().find(|(name, _)| *name == module.text) else { continue };
        if std.text != "std" || window[1].text != "::" {
            continue;
        }
        let rest = &tokens[at + 3..];
        let end = rest.iter().position(|token| [";", "(", ")", "="].contains(&&*token.text));
        let named = &rest[..end.unwrap_or(rest.len())];
        // `use std::thread;` is for all that is in it.
        if named.is_empty() {
            found.push((module.line, module.text.clone()));
        }
        let named = named.iter().filter(|token| kept.contains(&token.text.as_str()));
        found.extend(named.map(|token| (token.line, token.text.clone())));
    }
    found
}

#[test]
fn what_is_run_in_many_orders_locks_and_waits_by_the_room_for_it() {
    let of = |path: &str, these: &[&str]| these.iter().any(|begin| path.starts_with(begin));
    let all = sources("src");
    let test_only = ["/tests", "/interleavings"];
    let checked = all.iter().filter(|(path, _)| {
        of(path, &CHECKED)
            && !of(path, &MEASURES)
            && !test_only.iter().any(|part| path.contains(part))
    });
    let (mut files, mut found) = (0, Vec::new());
    for (path, text) in checked {
        files += 1;
        let otherwise = otherwise(&source::product(text).0).into_iter();
        found.extend(otherwise.map(|(line, name)| format!("{path}:{line}: `{name}` of std")));
    }
    assert!(files > 60, "only {files} files");
    nothing(&found);
}

#[test]
fn a_lock_of_the_standard_library_is_found_however_it_is_named() {
    for (text, found) in [
        ("use std::sync::Mutex;", 1),
        ("use std::sync::{Arc, Mutex, Condvar};", 2),
        ("use std::sync::atomic::{AtomicBool, Ordering};", 1),
        ("fn f() { std::thread::sleep(time); }", 1),
        ("use std::thread;", 1),
        ("use std::time::{Duration, Instant};", 1),
        ("static ONE: std::sync::Mutex<()> = new();", 1),
        ("use std::sync::{Arc, OnceLock};", 0),
        ("use std::time::Duration;", 0),
        ("use crate::sync::{Mutex, sleep};", 0),
        ("#[cfg(test)] mod tests { use std::sync::Mutex; }", 0),
    ] {
        let named = otherwise(&source::product(text).0);
        assert_eq!(named.len(), found, "{text}: {named:?}");
    }
}
