//! Bytes in memory that grow while there is room for them.

use std::fs;
use std::path::Path;

use super::CHUNK;
use crate::fault::SignError;
use crate::secret::can_map;

/// What is read so far, and a place for more.
pub(super) struct Growing {
    bytes: Vec<u8>,
    length: usize,
    limit: u64,
    expected: Option<usize>,
}

impl Growing {
    /// With room for so many bytes at once, if it is known how many will come.
    pub(super) const fn new(limit: u64, expected: Option<usize>) -> Self {
        Self { bytes: Vec::new(), length: 0, limit, expected }
    }

    /// Room for more. Doubled where it is full, if the system says that it has that; nothing
    /// but what is expected the first time.
    pub(super) fn place(&mut self) -> Result<&mut [u8], SignError> {
        if size(self.length) > self.limit {
            return Err(SignError::TooLong { limit: self.limit });
        }
        if self.length == self.bytes.len() {
            // One byte more than the limit tells that there is more.
            let most = usize::try_from(self.limit).unwrap_or(usize::MAX).saturating_add(1);
            let wanted = match self.expected.take() {
                // One byte more tells that it has ended.
                Some(expected) => expected.saturating_add(1),
                None => self.length.saturating_mul(2).max(CHUNK),
            };
            let wanted = wanted.min(most);
            let more = wanted - self.length;
            let no_memory = || SignError::NoMemory { bytes: size(wanted) };
            if !may_be_had(more) {
                return Err(no_memory());
            }
            self.bytes.try_reserve_exact(more).map_err(|_| no_memory())?;
            self.bytes.resize(wanted, 0);
        }
        Ok(self.bytes.get_mut(self.length..).unwrap_or_default())
    }

    /// So many bytes were put into the place.
    pub(super) const fn has(&mut self, more: usize) {
        self.length = self.length.saturating_add(more);
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.length);
        self.bytes
    }
}

/// Whether a library that ends the process where it gets no memory may have so much.
pub(super) fn is_there(bytes: usize) -> bool {
    may_be_had(bytes) && can_map(bytes)
}

fn may_be_had(bytes: usize) -> bool {
    available().is_none_or(|available| size(bytes) <= available)
}

fn size(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Bytes that this process can have before something is killed for them, if the system
/// says so: Linux promises memory that it has not.
fn available() -> Option<u64> {
    let known = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let of_machine = ["MemAvailable:", "SwapFree:"].map(|name| {
        let line = known.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib.saturating_mul(1024))
    });
    let [memory, swap] = of_machine;
    let of_machine = memory.map(|memory| memory.saturating_add(swap.unwrap_or_default()));
    of_machine.into_iter().chain(of_groups()).min()
}

/// What the control groups of this process leave (version 2).
fn of_groups() -> Vec<u64> {
    let known = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some(group) = known.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return Vec::new();
    };
    let number = |directory: &Path, name| {
        fs::read_to_string(directory.join(name)).ok()?.trim().parse::<u64>().ok()
    };
    let root = Path::new("/sys/fs/cgroup");
    let own = root.join(group);
    let groups = own.ancestors().take_while(|directory| directory.starts_with(root));
    let left = groups.filter_map(|directory| {
        let most = number(directory, "memory.max")?;
        Some(most.saturating_sub(number(directory, "memory.current")?))
    });
    left.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(limit: u64, expected: Option<usize>, length: usize) -> Result<Vec<u8>, SignError> {
        let mut growing = Growing::new(limit, expected);
        let mut left = length;
        while left > 0 {
            let place = growing.place()?;
            let now = place.len().min(left);
            place[..now].fill(7);
            growing.has(now);
            left -= now;
        }
        // As a reader does it that looks for the end.
        growing.place()?;
        Ok(growing.into_bytes())
    }

    #[test]
    fn what_fits_is_kept_and_what_is_longer_is_told() {
        let limit = 3 * size(CHUNK);
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            // Whatever was said before.
            for expected in [None, Some(0), Some(length), Some(CHUNK), Some(usize::MAX)] {
                assert_eq!(fill(limit, expected, length).unwrap(), vec![7; length]);
            }
        }
        let long = fill(limit, None, 3 * CHUNK + 1).unwrap_err();
        assert!(matches!(long, SignError::TooLong { limit: told } if told == limit), "{long:?}");
    }

    #[test]
    fn what_nobody_has_is_not_there_and_is_named() {
        assert!(is_there(1024) && !is_there(usize::MAX / 4));
        let expected = usize::MAX / 4;
        let error = Growing::new(u64::MAX, Some(expected)).place().unwrap_err();
        let SignError::NoMemory { bytes } = error else { panic!("{error:?}") };
        assert_eq!(bytes, size(expected) + 1);
    }

    #[test]
    fn the_system_says_what_is_available() {
        assert!(available().unwrap() > 1024 * 1024);
    }
}
