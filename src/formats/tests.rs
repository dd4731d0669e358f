//! What holds for every format.

mod sources;
mod spellings;
mod values;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use super::*;

/// What was made once, to be changed.
fn samples(format: &Format, count: usize) -> Vec<Vec<u8>> {
    let (strategy, mut runner) = (values::of(format.name), TestRunner::deterministic());
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What JSON says, whatever its spelling; what is not JSON, or not alone, as it is.
fn said(bytes: &[u8]) -> Option<Value> {
    let is_object = bytes.first().is_some_and(|first| b"{[".contains(first));
    serde_json::from_slice(bytes).ok().filter(|_| is_object)
}

/// Without members that are null or empty: as good as absent.
fn present(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, member)| !member.is_null() && *member != Value::Array(Vec::new()))
            .map(|(name, member)| (name, present(member)))
            .collect(),
        Value::Array(all) => all.into_iter().map(present).collect(),
        other => other,
    }
}

#[test]
fn what_is_written_is_read_as_the_same_in_each_format() {
    for format in FORMATS {
        let mut runner =
            TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(48) });
        let result = runner.run(&values::of(format.name), |bytes| {
            prop_assert!(format.check(&bytes), "refused: {}", shown(&bytes));
            let written = (format.reread)(&bytes).unwrap();
            // Nothing of it is lost or made up.
            if let Some(value) = said(&bytes)
                && format.name != "tpm-approval-request"
            {
                prop_assert_eq!(said(&written), Some(value));
            }
            Ok(())
        });
        if let Err(error) = result {
            panic!("{}: {error}", format.name);
        }
    }
}

#[test]
fn no_flipped_bit_makes_another_value_of_what_is_signed_and_in_json_none_is_passed_over() {
    for format in FORMATS {
        let sample = samples(format, 1).remove(0);
        let written = (format.reread)(&sample).unwrap();
        let mut changed = sample.clone();
        // All of what is short, and every so many bytes of what is long and costs signatures.
        let step = (sample.len() / 256).max(1);
        for at in (0..sample.len()).step_by(step) {
            for bit in 0..8 {
                changed[at] ^= 1 << bit;
                let is_read = format.check(&changed);
                if is_read && matches!(format.spelling, Signed(_)) {
                    let name = format.name;
                    assert_eq!(
                        (format.reread)(&changed),
                        Some(written.clone()),
                        "{name}: {at}.{bit}"
                    );
                }
                if is_read && format.spelling == Several(JSON) {
                    let written = (format.reread)(&changed).unwrap();
                    let [written, changed] =
                        [&written, &changed].map(|bytes| said(bytes).map(present));
                    assert_eq!(written, changed, "{}: {at}.{bit}", format.name);
                }
                changed[at] ^= 1 << bit;
            }
        }
        for end in (0..sample.len()).step_by(step) {
            format.check(&sample[..end]);
        }
    }
}

#[test]
fn whatever_bytes_there_are_they_are_refused_or_read_without_a_panic() {
    let noise = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..400),
        "[\\[\\]{}\":,a-z0-9._ \\n=-]{0,300}".prop_map(String::into_bytes),
        "\\PC{0,100}".prop_map(String::into_bytes),
    ];
    for format in FORMATS {
        let sample = samples(format, 3);
        let edited = (
            prop::sample::select(sample),
            any::<prop::sample::Index>(),
            0_usize..40,
            prop::collection::vec(any::<u8>(), 0..40),
        )
            .prop_map(|(mut bytes, at, length, put)| {
                let at = at.index(bytes.len());
                let end = bytes.len().min(at + length);
                bytes.splice(at..end, put);
                bytes
            });
        let bytes = prop_oneof![noise.clone(), edited];
        let mut runner =
            TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(96) });
        let result = runner.run(&bytes, |bytes| {
            format.check(&bytes);
            Ok(())
        });
        if let Err(error) = result {
            panic!("{}: {error}", format.name);
        }
    }
}

/// Of this thread, so that others cost it nothing.
fn processor_seconds() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    #[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "a time")]
    let seconds = now.tv_sec as f64 + now.tv_nsec as f64 / 1e9;
    seconds
}

/// Whatever is in a long text, in a debug build: nothing takes time that grows by the square.
#[test]
fn reading_takes_time_that_grows_with_the_length_alone() {
    const LONG: usize = 256 << 10;
    for format in FORMATS {
        let sample = samples(format, 1).remove(0);
        let grown = |piece: &[u8]| {
            let middle = sample.len() / 2;
            let times = LONG / piece.len();
            [&sample[..middle], &piece.repeat(times), &sample[middle..]].concat()
        };
        let mut all = vec![sample.repeat(LONG / sample.len().max(1))];
        for piece in
            ["[", "{\"a\":", "1", "z", "\n", " ", "a,", "\"a\":1,", "%41", "-> X25519 a\n", "\0"]
        {
            all.push(piece.repeat(LONG / piece.len()).into_bytes());
            all.push(grown(piece.as_bytes()));
        }
        for bytes in all {
            let before = processor_seconds();
            format.check(&bytes);
            let took = processor_seconds() - before;
            let start = shown(&bytes[..40]);
            assert!(took < 2.0, "{}: {took} s for {start:?}…", format.name);
        }
    }
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// What fuzzing begins with, and what it has found once: by the very function that it calls.
/// `FUZZ_SEEDS=name,name` in the environment writes the seeds of these anew.
#[test]
fn the_corpus_of_each_fuzz_target_is_read() {
    let mut names = BTreeSet::new();
    for format in FORMATS {
        let directory = corpus().join(format.name);
        let wanted = std::env::var("FUZZ_SEEDS").unwrap_or_default();
        if wanted.split(',').any(|name| name == format.name) {
            std::fs::create_dir_all(&directory).unwrap();
            for (number, seed) in samples(format, 6).iter().enumerate() {
                std::fs::write(directory.join(format!("seed-{number}")), seed).unwrap();
            }
        }
        let files =
            std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
        let read = files.filter(|file| {
            let bytes = std::fs::read(file.as_ref().unwrap().path()).unwrap();
            format.check(&bytes)
        });
        assert!(read.count() >= 3, "{}: seeds that are read", format.name);
        let target = corpus().join(format!("../fuzz_targets/{}.rs", format.name));
        assert!(target.is_file(), "{} has no fuzz target", format.name);
        names.insert(format.name.to_owned());
    }
    let there = std::fs::read_dir(corpus()).unwrap();
    let there = there.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(there.collect::<BTreeSet<_>>(), names);
}
