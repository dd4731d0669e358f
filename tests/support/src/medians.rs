//! Interleaved runs in one process, compared by the ratio of their medians.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::softhsm::SoftHsm;

/// Runs this bench once more, in a process with a SoftHSM token `bench` of its
/// own (the module reads its configuration from the environment); true there.
pub fn in_a_token_of_our_own() -> bool {
    if std::env::var_os("ICN_BENCH_CHILD").is_some() {
        return true;
    }
    let hsm = SoftHsm::with_token("bench");
    let child = Command::new(std::env::current_exe().unwrap())
        .envs(hsm.variables())
        .env("ICN_BENCH_CHILD", hsm.path(""))
        .status()
        .unwrap();
    assert!(child.success());
    false
}

/// A ratio that should be at least `limit`.
pub fn report_gain(what: &str, ours: f64, baseline: f64, limit: f64) {
    let ratio = ours / baseline;
    let verdict = if ratio >= limit { "ok" } else { "BELOW THE LIMIT" };
    println!(
        "{what}: ratio {ratio:.3} (at least {limit:.2}, {verdict}); {ours:.0} over {baseline:.0} a second"
    );
}

/// Runs each candidate in turn, `rounds` times `batch` calls, and gives the
/// median time of one call of each.
pub fn medians<const N: usize>(
    rounds: usize,
    batch: u32,
    candidates: [&mut dyn FnMut(); N],
) -> [Duration; N] {
    let mut times = [const { Vec::new() }; N];
    for round in 0..rounds + rounds / 10 {
        // Another one goes first each time, so that none is always warm.
        for offset in 0..N {
            let index = (round + offset) % N;
            let start = Instant::now();
            for _ in 0..batch {
                candidates[index]();
            }
            // The first tenth warms up.
            if round >= rounds / 10 {
                times[index].push(start.elapsed() / batch);
            }
        }
    }
    times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    })
}

pub fn report(what: &str, ours: Duration, baseline: Duration, limit: f64) {
    let ratio = ours.as_secs_f64() / baseline.as_secs_f64();
    let verdict = if ratio <= limit { "ok" } else { "ABOVE THE LIMIT" };
    println!(
        "{what}: ratio {ratio:.3} (limit {limit:.2}, {verdict}); medians {ours:.2?} over {baseline:.2?}"
    );
}
