//! Memory for scrypt, asked for before it is used: the library below ends the process
//! where it gets none.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::secret::can_map;

/// There is no memory for this work: log2 of scrypt's `N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no memory for scrypt with the work 2^{0}")]
pub(crate) struct NoMemory(pub(crate) u8);

/// What is computed now has asked for so much.
static IN_USE: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// Does work that costs scrypt with `N = 2^log_n` and `r = 8`, if there is memory for it
/// beside what other threads have asked for; waits for them where there is not.
pub(super) fn with_room<T>(log_n: u8, work: impl FnOnce() -> T) -> Result<T, NoMemory> {
    let bytes = bytes(log_n).ok_or(NoMemory(log_n))?;
    let taken = Taken::take(bytes).ok_or(NoMemory(log_n))?;
    let done = work();
    drop(taken);
    Ok(done)
}

/// 128 bytes for each of `r` in each of `N` blocks, and some for the rest.
fn bytes(log_n: u8) -> Option<usize> {
    1024_usize.checked_shl(log_n.into()).filter(|bytes| *bytes > 0)?.checked_add(1024 * 1024)
}

struct Taken(usize);

impl Taken {
    fn take(bytes: usize) -> Option<Self> {
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // Others may have asked and not yet taken: as if none of them had.
            // Given back at once: what is so large has pages of its own, and is had again.
            if can_map(in_use.checked_add(bytes)?) {
                *in_use += bytes;
                return Some(Self(bytes));
            }
            if *in_use == 0 {
                return None;
            }
            in_use = FREED.wait(in_use).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        *IN_USE.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        FREED.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_scrypt_takes_is_known_and_what_nobody_has_is_told() {
        assert_eq!(bytes(18), Some(257 * 1024 * 1024));
        assert_eq!(with_room(10, || 7), Ok(7));
        for log_n in [53, 64, 255] {
            assert_eq!(with_room(log_n, || 7), Err(NoMemory(log_n)));
        }
    }
}
