//! Calls that repeat one another, of which a few are enough for one run.
//!
//! A token writes an object's file anew for each of its attributes, a TPM is asked one thing
//! after another, and each file that takes its place is made and written beside it first, some
//! of them at every step. What a program leaves that ends at one of these differs by the
//! attribute, or by the step, and where a file takes its place each step is met anyway. So of
//! each row the first, the last and one between are taken, by chance and another one each time.
//! `ICN_TEST_EVERY_CALL` takes all of them, as `scripts/test-long` does.

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use support::interleavings::Dice;

use super::trace::Call;

const EVERY: &str = "ICN_TEST_EVERY_CALL";

/// Random enough for a choice, which the message of a failure names.
pub(crate) fn dice() -> Dice {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Dice(now.as_secs() << 30 ^ u64::from(now.subsec_nanos()))
}

/// Whether each call is asked for.
pub(crate) fn every_call_is_wanted() -> bool {
    env::var_os(EVERY).is_some()
}

/// Some of each row of repeats, and all others, in their order.
pub(crate) fn some_of_each_row<'a>(calls: &[&'a Call]) -> Vec<&'a Call> {
    if every_call_is_wanted() {
        return calls.to_vec();
    }
    some(calls, &rows(calls), &mut dice())
}

/// The same, where calls of one name on one file are a row, also those by which it takes its
/// place: for what is asked of each kind of call, whichever step it is.
pub(crate) fn some_of_each_name_and_file<'a>(calls: &[&'a Call]) -> Vec<&'a Call> {
    if every_call_is_wanted() {
        return calls.to_vec();
    }
    let mut rows = BTreeMap::<(&str, &str), Vec<usize>>::new();
    for (place, call) in calls.iter().enumerate() {
        let file = file(call).unwrap_or_default();
        let name = call.name.as_str();
        rows.entry((name, beside(file).unwrap_or(file))).or_default().push(place);
    }
    some(calls, &rows.into_values().collect::<Vec<_>>(), &mut dice())
}

fn some<'a>(calls: &[&'a Call], rows: &[Vec<usize>], dice: &mut Dice) -> Vec<&'a Call> {
    let mut wanted = vec![true; calls.len()];
    for row in rows {
        if let [_, between @ .., _] = &row[..]
            && between.len() > 1
        {
            for place in between {
                wanted[*place] = false;
            }
            wanted[between[dice.below(between.len())]] = true;
        }
    }
    calls.iter().zip(wanted).filter_map(|(call, wanted)| wanted.then_some(*call)).collect()
}

/// The places of the calls of each row.
fn rows(calls: &[&Call]) -> Vec<Vec<usize>> {
    let mut rows = Vec::<Vec<usize>>::new();
    let mut steps = HashMap::<Repeat<'_>, usize>::new();
    let mut last = None;
    for (place, call) in calls.iter().enumerate() {
        let repeat = Repeat::of(call);
        let row = match &repeat {
            Some(beside @ Repeat::Beside(..)) => steps.get(beside).copied(),
            Some(_) if last == repeat => rows.len().checked_sub(1),
            _ => None,
        };
        let row = row.unwrap_or_else(|| {
            rows.push(vec![]);
            rows.len() - 1
        });
        rows[row].push(place);
        if let Some(beside @ Repeat::Beside(..)) = repeat {
            steps.insert(beside, row);
        }
        last = repeat;
    }
    rows
}

/// What can be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Repeat<'a> {
    /// An object's file on a token is emptied or written, one time after another.
    Object(&'a str, &'a str),
    /// A TPM is told one thing after another.
    Socket,
    /// A file is made or written that takes the place of this one later; at whatever step.
    Beside(&'a str, &'a str),
}

impl<'a> Repeat<'a> {
    fn of(call: &'a Call) -> Option<Self> {
        let (name, file) = (call.name.as_str(), file(call)?);
        match name {
            "ftruncate" | "write" if file.ends_with(".object") => Some(Self::Object(name, file)),
            "write" if ["socket:", "TCP:"].iter().any(|it| file.starts_with(it)) => {
                Some(Self::Socket)
            }
            "write" | "openat" => Some(Self::Beside(name, beside(file)?)),
            _ => None,
        }
    }
}

/// The file that a call names first, or what its first descriptor is.
fn file(call: &Call) -> Option<&str> {
    if matches!(call.name.as_str(), "openat" | "rename" | "mkdir") {
        return call.quoted().first().copied();
    }
    let (_, rest) = call.text.split_once('<')?;
    rest.split_once('>').map(|(file, _)| file)
}

/// Of a file that is to take a place, without what is random in its name.
fn beside(file: &str) -> Option<&str> {
    let (name, random) = file.rsplit_once('.')?;
    let is_random = random.len() >= 20 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_random.then_some(name)
}

#[test]
fn of_each_row_the_ends_and_one_between_are_taken_and_of_the_others_all() {
    let object = |name: &str, id| format!("{name}(4</t/{id}.object>, 0) = 0");
    let beside = |name, random| {
        let file = format!("/h/.{name}.{random}{random}{random}{random}{random}");
        [
            format!("openat(AT_FDCWD</w>, \"{file}\", O_WRONLY|O_CREAT, 0600) = 6<{file}>"),
            format!("write(6<{file}>, \"{{\"..., 8) = 8"),
            format!("rename(\"{file}\", \"/h/{name}\") = 0"),
        ]
    };
    let mut texts = vec![];
    for _ in 0..9 {
        texts.push(object("ftruncate", "a"));
    }
    texts.push(object("write", "a"));
    texts.extend((0..7).map(|_| object("ftruncate", "a")));
    texts.extend((0..2).map(|_| object("ftruncate", "b")));
    for random in ["0a1b2c", "1a1b2c", "2a1b2c", "3a1b2c", "4a1b2c"] {
        texts.extend(beside("one.json", random));
        texts.extend((0..8).map(|_| "write(4<socket:[12]>, \"\", 5) = 5".to_owned()));
    }
    texts.extend(beside("another.json", "5a1b2c"));
    let calls = super::trace::calls(&texts.join("\n"));
    let calls: Vec<&Call> = calls.iter().collect();

    let (mut seen, rows) = (std::collections::BTreeSet::new(), rows(&calls));
    for seed in 0..400 {
        let some = some(&calls, &rows, &mut Dice(seed));
        let count = |text: &str| some.iter().filter(|call| call.text.contains(text)).count();
        assert_eq!((count("a.object"), count("b.object")), (3 + 1 + 3, 2), "{some:#?}");
        assert_eq!(
            (count("socket"), count("openat"), count("rename")),
            (5 * 3, 3 + 1, 6),
            "{some:#?}"
        );
        assert_eq!((count("write(6"), count("another.json.")), (3 + 1, 3), "{some:#?}");
        assert!(
            some.is_sorted_by_key(|call| calls.iter().position(|one| std::ptr::eq(*one, *call)))
        );
        seen.extend(some.iter().map(|call| (call.name.clone(), call.nth)));
    }
    // None is left out for ever.
    assert_eq!(seen.len(), calls.len());
}
