//! Runs a test in many orders of the steps of its threads.
//!
//! `ICN_TEST_ORDERS` says in how many, by each of two schedulers: one takes any thread at each
//! step, the other one (PCT) prefers one thread to another and changes its mind a few times,
//! which finds what needs a few changes at the right places. Both begin with the seed that is
//! printed (`ICN_TEST_SEED` gives it). An order that fails is printed as well, and
//! `ICN_TEST_ORDER` runs it again, alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use shuttle::scheduler::{
    PctScheduler, RandomScheduler, ReplayScheduler, RoundRobinScheduler, Scheduler,
};
use shuttle::{Config, MaxSteps, Runner};
use support::interleavings::{self, Orders};

/// Where nothing is said.
const ORDERS: usize = 100;

/// How often PCT changes its mind, and one.
const DEPTH: usize = 4;

/// Who takes more waits for something that does not come.
const MOST_STEPS: usize = 40_000;

/// The frames of a debug build, and what is overwritten below secrets.
const STACK: usize = 4 << 20;

static TEST: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// How many orders there were.
fn run(scheduler: impl Scheduler + 'static) -> usize {
    let mut config = Config::new();
    config.stack_size = STACK;
    config.max_steps = MaxSteps::FailAfter(MOST_STEPS);
    config.silence_warnings = true;
    let told = Told(Arc::default());
    let begun = Arc::clone(&told.0);
    Runner::new(scheduler, config).run(move || {
        begun.fetch_add(1, Ordering::SeqCst);
        TEST.get().unwrap()();
    })
}

/// How many orders of a scheduler have begun: the last one has failed, if it is told.
struct Told(Arc<AtomicUsize>);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("order {} of this scheduler failed", self.0.load(Ordering::SeqCst));
        }
    }
}

/// Runs a test in each order. Statics keep what an order leaves in them, so a test begins with
/// names that no order before has had; and it is alone in its process.
pub(crate) fn in_many_orders(test: impl Fn() + Send + Sync + 'static) {
    assert!(TEST.set(Box::new(test)).is_ok(), "a process runs one test");
    // What is loaded or looked up once is there afterwards.
    run(RoundRobinScheduler::new(1));
    let Orders { count, seed, again } = interleavings::orders(ORDERS);
    if let Some(order) = again {
        run(ReplayScheduler::new_from_encoded(&order));
        return;
    }
    eprintln!("seed {seed}, {count} orders by each scheduler");
    let ran = run(RandomScheduler::new_from_seed(seed, count))
        + run(PctScheduler::new_from_seed(seed, DEPTH, count));
    assert_eq!(ran, 2 * count);
}
