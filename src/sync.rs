//! What the rooms lock and wait with in which threads could send a PIN twice, or lose a
//! session or a note: that of the standard library.
//!
//! The unit tests can be built with `--cfg shuttle` (`scripts/interleavings`). Then it is that of
//! a checker, which runs the threads of a test one at a time and decides at each lock, wait and
//! step who goes on. Nothing in these rooms may wait otherwise: the checker would not see it,
//! and a thread that waits for another one of the test would wait for ever.

#[cfg(all(test, shuttle))]
mod checked;
#[cfg(all(test, shuttle))]
pub(crate) mod orders;

#[cfg(all(test, shuttle))]
pub(crate) use self::checked::*;
#[cfg(not(all(test, shuttle)))]
pub(crate) use self::real::*;

#[cfg(not(all(test, shuttle)))]
mod real {
    pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
    pub(crate) use std::thread::sleep;
    pub(crate) use std::time::Instant;

    /// A static of this process.
    pub(crate) type OfProcess<T> = T;

    /// Before something that others see without a lock, or that the device does: under the
    /// checker others may go first.
    #[inline]
    pub(crate) const fn step() {}
}

/// The value of an [`OfProcess`].
#[cfg(not(all(test, shuttle)))]
macro_rules! of_process {
    ($value:expr) => {
        $value
    };
}

/// The value of an [`OfProcess`], once for each process that a test plays.
#[cfg(all(test, shuttle))]
macro_rules! of_process {
    ($value:expr) => {
        $crate::sync::OfProcess::new([$value, $value])
    };
}

pub(crate) use of_process;
