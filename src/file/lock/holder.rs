//! Who holds a lock: written into its file, for the message that others see, and told
//! where the number of a process means something to the reader.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What this process writes.
pub(super) fn ours() -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    let program = Path::new(&program).file_name().unwrap_or_default().to_string_lossy();
    format!("{program} (process {})\n", std::process::id())
}

/// What is said of whoever holds the lock on this file.
pub(super) fn named(written: &str, file: &File) -> String {
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let holder = file.metadata().ok().and_then(|metadata| {
        let device = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
        holder_in(&locks, device, metadata.ino())
    });
    let inner = holder.and_then(|process| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
        numbers.split_ascii_whitespace().last().map(str::to_owned)
    });
    told(written, holder, inner.as_deref())
}

/// The kernel shows the locks of this PID namespace and those in it, by the number that
/// their process has here; those of others (another container, another machine) it does not.
fn holder_in(locks: &str, device: (u32, u32), inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        if fields.next() != Some("FLOCK") {
            return None;
        }
        let (process, place) = (fields.nth(2)?, fields.next()?);
        let mut place = place.split(':');
        let (major, minor, found) = (place.next()?, place.next()?, place.next()?);
        let number = |hex| u32::from_str_radix(hex, 16).ok();
        // File systems without a device of their own may have two numbers for it.
        let is_here = device.0 == 0 || (number(major)?, number(minor)?) == device;
        (is_here && found.parse() == Ok(inode)).then(|| process.parse().ok())?
    })
}

/// `inner` is the number that the holder has in its own namespace, which it has written.
fn told(written: &str, holder: Option<u32>, inner: Option<&str>) -> String {
    let line = written.trim();
    let (program, number) = match line.split_once(" (process ") {
        Some((program, number)) => (program, number.trim_end_matches(')')),
        None if line.is_empty() => return "another process".to_owned(),
        None => return line.to_owned(),
    };
    match holder {
        Some(process) if inner == Some(number) => format!("{program} (process {process})"),
        Some(_) => line.to_owned(),
        None => format!("{program}, in another container or on another machine"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKS: &str = "\
        1: FLOCK  ADVISORY  WRITE 70 fe:0a:120 0 EOF\n\
        2: POSIX  ADVISORY  WRITE 71 fe:00:121 0 EOF\n\
        3: FLOCK  ADVISORY  WRITE 72 fe:00:121 0 EOF\n\
        3: -> FLOCK  ADVISORY  WRITE 73 fe:00:122 0 EOF\n";

    #[test]
    fn the_holder_is_found_among_the_locks_that_the_kernel_shows() {
        assert_eq!(holder_in(LOCKS, (0xfe, 0), 121), Some(72));
        assert_eq!(holder_in(LOCKS, (0xfe, 10), 120), Some(70));
        assert_eq!(holder_in(LOCKS, (0xfe, 0), 120), None, "of another file system");
        assert_eq!(holder_in(LOCKS, (0, 31), 121), Some(72));
        assert_eq!(holder_in(LOCKS, (0xfe, 0), 122), None, "who waits holds nothing");
        assert_eq!(holder_in("", (0, 0), 1), None);
    }

    #[test]
    fn a_process_is_named_by_its_number_only_where_it_has_that_number() {
        let written = "icnd (process 7)\n";
        assert_eq!(told(written, Some(7), Some("7")), "icnd (process 7)");
        // In a container on this machine, which is seen from outside.
        assert_eq!(told(written, Some(4711), Some("7")), "icnd (process 4711)");
        let elsewhere = "icnd, in another container or on another machine";
        assert_eq!(told(written, None, None), elsewhere);
        for written in ["", "\n"] {
            assert_eq!(told(written, None, None), "another process");
        }
    }
}
