//! Locks, waits and a clock that the checker decides on.

use std::ops::{Add, Deref};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

pub(crate) use shuttle::sync::atomic::{AtomicBool, Ordering};
pub(crate) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

/// Before something that others see without a lock, or that the device does.
pub(crate) fn step() {
    shuttle::thread::sleep(Duration::ZERO);
}

/// Lets others go first, and the time pass.
pub(crate) fn sleep(time: Duration) {
    pass(time);
    shuttle::thread::yield_now();
}

/// Nanoseconds. It does not stand still: no two looks at it see the same time.
static NOW: AtomicU64 = AtomicU64::new(1 << 60);

fn pass(time: Duration) -> u64 {
    let nanoseconds = u64::try_from(time.as_nanos()).unwrap();
    NOW.fetch_add(nanoseconds, Ordering::SeqCst) + nanoseconds
}

/// A time that passes by waiting alone, so that an order of steps is the same each time it
/// is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(u64);

impl Instant {
    pub(crate) fn now() -> Self {
        Self(pass(Duration::from_nanos(1)))
    }

    pub(crate) fn elapsed(self) -> Duration {
        Duration::from_nanos(Self::now().0 - self.0)
    }

    pub(crate) fn checked_sub(self, time: Duration) -> Option<Self> {
        self.0.checked_sub(u64::try_from(time.as_nanos()).ok()?).map(Self)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0 + u64::try_from(time.as_nanos()).unwrap())
    }
}

/// A static of each process that a test plays: of that of the thread which looks at it.
pub(crate) struct OfProcess<T>([T; 2]);

impl<T> OfProcess<T> {
    pub(crate) const fn new(of_each: [T; 2]) -> Self {
        Self(of_each)
    }
}

impl<T> Deref for OfProcess<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0[PROCESS.with(std::cell::Cell::get)]
    }
}

shuttle::thread_local! {
    static PROCESS: std::cell::Cell<usize> = std::cell::Cell::new(0);
}

/// This thread belongs to that process from now on.
pub(crate) fn belong_to(process: usize) {
    PROCESS.with(|of_thread| of_thread.set(process));
}
