//! Notices, once per process, that scrypt runs without optimisation, as it does in
//! a consumer's debug build: thirty times slower, which looks as if it had hung.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static NOTICED: Notice = Notice::new();

/// Does work that costs scrypt with `N = 2^log_n`, and warns if it is the first to
/// take as long as unoptimised code takes. `None`: it does not cost scrypt.
pub(super) fn watched<T>(log_n: Option<u8>, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    if let Some(log_n) = log_n
        && cfg!(debug_assertions)
        && NOTICED.is_first_slow(log_n, begun.elapsed())
    {
        log::warn!(
            "scrypt took {} seconds, since this debug build does not optimise it; put \
             scrypt.opt-level = 2, salsa20.opt-level = 2 and cipher.opt-level = 2 under \
             [profile.dev.package] in the Cargo.toml of your workspace",
            begun.elapsed().as_secs()
        );
    }
    result
}

/// What the scrypt stanza of an age file says: the header is text, and of one that
/// is encoded (armored) nothing is said.
pub(super) fn work_of(file: &[u8]) -> Option<u8> {
    let header = file.get(..super::OUR_HEADER).unwrap_or(file);
    let mut lines = header.split(|byte| *byte == b'\n');
    let stanza = lines.find_map(|line| line.strip_prefix(b"-> scrypt "))?;
    std::str::from_utf8(stanza).ok()?.split(' ').nth(1)?.parse().ok()
}

/// Whether something was said already.
struct Notice(AtomicBool);

impl Notice {
    const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    fn is_first_slow(&self, log_n: u8, took: Duration) -> bool {
        is_slow(log_n, took) && !self.0.swap(true, Ordering::Relaxed)
    }
}

/// Of one unit of `N`, optimised code takes 4 microseconds, and unoptimised code 110.
/// Less than half a second is no matter.
fn is_slow(log_n: u8, took: Duration) -> bool {
    const LIMIT: Duration = Duration::from_micros(25);
    let units = 1_u32.checked_shl(log_n.into()).unwrap_or(u32::MAX);
    took > LIMIT.saturating_mul(units).max(Duration::from_millis(500))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agefile::{WorkFactor, encrypt_with_passphrase};
    use crate::secret::Passphrase;

    #[test]
    fn unoptimised_scrypt_is_noticed_at_each_work_factor() {
        // Measured on one machine: 2^18 in 0.8 and in 29 seconds.
        for log_n in 10..=22_u8 {
            let scale = 2_f64.powi(i32::from(log_n) - 18);
            let optimised = Duration::from_secs_f64(0.8 * scale);
            let unoptimised = Duration::from_secs_f64(29.0 * scale);
            assert!(!is_slow(log_n, optimised * 4), "2^{log_n}, on a slow machine");
            assert_eq!(is_slow(log_n, unoptimised), log_n >= 13, "2^{log_n}");
        }
        assert!(!is_slow(255, Duration::from_secs(3600)));
    }

    #[test]
    fn slow_scrypt_is_noticed_once() {
        let notice = Notice::new();
        assert!(!notice.is_first_slow(18, Duration::from_secs(1)));
        assert!(notice.is_first_slow(18, Duration::from_secs(29)));
        assert!(!notice.is_first_slow(18, Duration::from_secs(29)));
    }

    #[test]
    fn the_work_of_a_file_is_read_from_its_header() {
        let work = WorkFactor::new(10).unwrap();
        let file = encrypt_with_passphrase(b"secret", &Passphrase::new("one"), work).unwrap();
        assert_eq!(work_of(&file), Some(10));
        for other in
            [&b""[..], b"age-encryption.org/v1\n-> X25519 a\n", b"-> scrypt a", b"\n-> scrypt a b"]
        {
            assert_eq!(work_of(other), None);
        }
    }
}
