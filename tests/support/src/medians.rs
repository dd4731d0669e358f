//! Interleaved runs in one process, of which the medians are compared.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::peak::used_by_children;
use crate::softhsm::SoftHsm;

/// Runs this bench once more, in a process with a SoftHSM token `bench` of its
/// own (the module reads its configuration from the environment), and gives what that ended
/// with; `None` there. Everything of it is in memory: how long a disk takes is its own affair.
pub fn in_a_token_of_our_own() -> Option<ExitCode> {
    if std::env::var_os("ICN_BENCH_CHILD").is_some() {
        return None;
    }
    let hsm = SoftHsm::in_memory();
    hsm.token("bench");
    let child = Command::new(std::env::current_exe().unwrap())
        .envs(hsm.variables())
        .env("ICN_BENCH_CHILD", hsm.path(""))
        .env("XDG_STATE_HOME", hsm.path("state"))
        .status()
        .unwrap();
    Some(if child.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How long processors have been used by all threads of this process, and by its children that
/// have ended.
pub fn used_here() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let here = Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.try_into().unwrap());
    here + used_by_children()
}

/// The same of another process, in steps of 10 ms.
pub fn used_by(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|it| it.parse::<u64>().unwrap());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// # Panics
///
/// If there is none.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Runs each candidate in turn, `rounds` times `batch` calls, and gives the
/// median time of one call of each.
pub fn medians<const N: usize>(
    rounds: usize,
    batch: u32,
    candidates: [&mut dyn FnMut(); N],
) -> [Duration; N] {
    let start = Instant::now();
    medians_by(|| start.elapsed(), rounds, batch, candidates)
}

/// The same by the time that processors were used, by this process and by children that have
/// ended: for what waits for nothing, so that others who use the machine are not measured.
pub fn medians_of_processor<const N: usize>(
    rounds: usize,
    batch: u32,
    candidates: [&mut dyn FnMut(); N],
) -> [Duration; N] {
    medians_by(used_here, rounds, batch, candidates)
}

fn medians_by<const N: usize>(
    now: impl Fn() -> Duration,
    rounds: usize,
    batch: u32,
    candidates: [&mut dyn FnMut(); N],
) -> [Duration; N] {
    let mut times = [const { Vec::new() }; N];
    for round in 0..rounds + rounds / 10 {
        // Another one goes first each time, so that none is always warm.
        for offset in 0..N {
            let index = (round + offset) % N;
            let start = now();
            for _ in 0..batch {
                candidates[index]();
            }
            // The first tenth warms up.
            if round >= rounds / 10 {
                times[index].push((now() - start) / batch);
            }
        }
    }
    times.map(median)
}
