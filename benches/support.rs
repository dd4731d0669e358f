//! Interleaved runs in one process, compared by the ratio of their medians.

use std::time::{Duration, Instant};

/// Runs each candidate in turn, `rounds` times `batch` calls, and gives the
/// median time of one call of each.
pub(crate) fn medians<const N: usize>(
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

pub(crate) fn report(what: &str, ours: Duration, baseline: Duration, limit: f64) {
    let ratio = ours.as_secs_f64() / baseline.as_secs_f64();
    let verdict = if ratio <= limit { "ok" } else { "ABOVE THE LIMIT" };
    println!(
        "{what}: ratio {ratio:.3} (limit {limit:.2}, {verdict}); medians {ours:.2?} over {baseline:.2?}"
    );
}
