//! Random interleavings, each told by its seed: many of them in a few processes, each of
//! which has devices of its own; or one again.
//!
//! `ICN_TEST_SEED` runs one again, or as many from it on as `ICN_TEST_INTERLEAVINGS` says.

use std::env;
use std::ops::Range;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// Processes, which run at the same time.
const PARTS: u64 = 4;

const SEED: &str = "ICN_TEST_SEED";
const COUNT: &str = "ICN_TEST_INTERLEAVINGS";
/// The first one of a part.
const FIRST: &str = "ICN_TEST_FIRST_SEED";

/// Not random enough for anything but this (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll(u64::try_from(end).unwrap())).unwrap()
    }

    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Another one, for a thread.
    pub fn fork(&mut self) -> Self {
        Self(self.roll(u64::MAX))
    }
}

/// Runs so many in a few parts: `part` runs the test again in a process of its own, with
/// these variables, which does [`these`].
pub fn run(count: u64, part: impl Fn(&[(&str, &str)]) + Sync) {
    if number(SEED).or(number(FIRST)).is_some() {
        return part(&[]);
    }
    // Each time others.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let now = u64::try_from(now).unwrap() * 1000;
    thread::scope(|scope| {
        for index in 0..PARTS {
            let (part, first) = (&part, (now + index * (count / PARTS)).to_string());
            scope.spawn(move || part(&[(FIRST, &first)]));
        }
    });
}

/// The seeds that this process was told, and whether they are a whole part of so many: then
/// all that can happen has to be among them.
pub fn these(count: u64) -> (Range<u64>, bool) {
    if let Some(seed) = number(SEED) {
        return (seed..seed + number(COUNT).unwrap_or(1), false);
    }
    let first = number(FIRST).expect("a part is told its first seed");
    (first..first + count / PARTS, true)
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}
