//! Times: Unix seconds, and as JSON and people write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// 2026-01-01T00:00:00Z. This crate is younger: a clock that shows an earlier
/// time was never set. (Boards without a battery begin in 1970.)
const FLOOR: u64 = 1_767_225_600;

/// Whether a clock shows a time that can be true.
pub(crate) fn is_set(at: SystemTime) -> bool {
    is_possible(unix(at))
}

/// Whether a time, in Unix seconds, can be that of anything made by this crate.
pub(crate) const fn is_possible(unix: u64) -> bool {
    unix >= FLOOR
}

/// What it shows, in Unix seconds, where that cannot be true: nothing is signed by it that
/// has a time in it.
pub(crate) fn check(at: SystemTime) -> Result<(), u64> {
    if is_set(at) { Ok(()) } else { Err(unix(at)) }
}

/// Unix seconds; none before 1970.
pub(crate) fn unix(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// By the system's clock.
pub(crate) fn now() -> u64 {
    unix(SystemTime::now())
}

/// None after the year 9999.
pub(crate) fn date(unix: u64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(i64::try_from(unix).ok()?).ok()
}

/// `2026-01-31T12:00:00Z`
pub(crate) fn rfc3339(unix: u64) -> Option<String> {
    date(unix)?.format(&Rfc3339).ok()
}

/// `2026-01-31T12:00:00.000Z`, always of that length.
#[cfg(feature = "audit")]
pub(crate) fn rfc3339_millis(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = rfc3339(since.as_secs()).unwrap_or_else(|| "9999-12-31T23:59:59Z".into());
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), since.subsec_millis())
}

/// The same time, written by us.
pub(crate) fn rewritten(rfc3339: &str) -> Option<String> {
    OffsetDateTime::parse(rfc3339, &Rfc3339).ok()?.format(&Rfc3339).ok()
}
