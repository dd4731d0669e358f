//! Random interleavings, each told by its seed: parts of many, each in a process with devices
//! of its own; or one again.
//!
//! By default one part is run, of seeds that are new each time. `ICN_TEST_INTERLEAVINGS` says
//! how many interleavings are run at least, in whole parts; `scripts/test-long` runs the
//! number that a release needs. With `ICN_TEST_SEED`, one is run again, or as many from that
//! seed on as `ICN_TEST_INTERLEAVINGS` says.

use std::env;
use std::ops::Range;
use std::sync::Mutex;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// Processes that run at the same time.
const AT_ONCE: u64 = 4;

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

/// Runs parts of so many: `run_part` runs the test again in a process of its own, with these
/// variables, which does [`these`].
pub fn run(part: u64, run_part: impl Fn(&[(&str, &str)]) + Sync) {
    if number(SEED).or(number(FIRST)).is_some() {
        return run_part(&[]);
    }
    let parts = parts(part, number(COUNT));
    // Each time others.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let now = u64::try_from(now).unwrap() * 1000;
    let next = Mutex::new(0..parts);
    let take = || next.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..parts.min(AT_ONCE) {
            scope.spawn(|| {
                while let Some(index) = take() {
                    run_part(&[(FIRST, &(now + index * part).to_string())]);
                }
            });
        }
    });
}

/// How many parts have at least so many interleavings; one, where nothing is asked.
const fn parts(part: u64, asked: Option<u64>) -> u64 {
    match asked {
        None | Some(0) => 1,
        Some(asked) => asked.div_ceil(part),
    }
}

const _: () = assert!(parts(75, None) == 1 && parts(75, Some(0)) == 1);
const _: () = assert!(parts(75, Some(75)) == 1 && parts(75, Some(76)) == 2);

/// The seeds that this process was told, and whether they are a whole part: then all that
/// can happen has to be among them.
pub fn these(part: u64) -> (Range<u64>, bool) {
    if let Some(seed) = number(SEED) {
        return (seed..seed + number(COUNT).unwrap_or(1), false);
    }
    let first = number(FIRST).expect("a part is told its first seed");
    (first..first + part, true)
}

/// Which orders a checker of interleavings runs, which decides on each step itself.
pub struct Orders {
    /// So many by each of its schedulers, from this seed on.
    pub count: usize,
    pub seed: u64,
    /// One that has failed, to be run again alone.
    pub again: Option<String>,
}

/// As the environment says: `ICN_TEST_ORDERS`, `ICN_TEST_SEED` and `ICN_TEST_ORDER`.
pub fn orders(count: usize) -> Orders {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    Orders {
        count: number("ICN_TEST_ORDERS").map_or(count, |count| count.try_into().unwrap()),
        seed: number(SEED).unwrap_or_else(|| now.try_into().unwrap()),
        again: env::var("ICN_TEST_ORDER").ok(),
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}
