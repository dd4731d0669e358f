//! Whether the TLS certificate is valid now.

use icn_identity::bundle::{Binding, check_clock};
use icn_identity::keystore::Header;
use time::OffsetDateTime;

use crate::output::date;

pub(super) struct Validity {
    begin: Option<u64>,
    end: u64,
    now: u64,
    /// Whether the clock shows a time that can be true.
    clock_is_set: bool,
}

impl Validity {
    /// By this machine's clock. What the DID's key has signed goes before what the header
    /// says beside it.
    pub(super) fn of(header: &Header) -> Self {
        let binding = header.binding();
        let now = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or(0);
        Self {
            begin: binding.as_ref().map(Binding::not_before).or(header.tls_not_before()),
            end: binding.as_ref().map_or(header.tls_not_after(), Binding::not_after),
            now,
            clock_is_set: check_clock().is_ok(),
        }
    }

    pub(super) const fn clock_is_set(&self) -> bool {
        self.clock_is_set
    }

    pub(super) const fn not_before(&self) -> Option<u64> {
        self.begin
    }

    pub(super) const fn not_after(&self) -> u64 {
        self.end
    }

    pub(super) const fn is_expired(&self) -> bool {
        self.now > self.end
    }

    fn is_to_come(&self) -> bool {
        self.begin.is_some_and(|begin| self.now < begin)
    }

    pub(super) fn status(&self) -> &'static str {
        match (self.is_to_come(), self.is_expired()) {
            (true, _) => "not-yet-valid",
            (false, true) => "expired",
            (false, false) => "valid",
        }
    }

    /// Until when; and from when, where that is still to come.
    pub(super) fn in_words(&self) -> String {
        let end = date(self.end);
        if !self.clock_is_set {
            return format!(
                "certificate valid until {end}; whether it is valid now cannot be told: the clock of \
                 this machine is not set, it shows {}. Set it",
                date(self.now)
            );
        }
        match self.begin {
            Some(begin) if self.is_to_come() => format!(
                "certificate not valid before {} (until {end}): if this clock is right, it was ahead \
                 when the certificate was made; run `icnctl id renew`",
                date(begin)
            ),
            _ if self.is_expired() => format!(
                "certificate EXPIRED on {end}: peers refuse it until a command that opens the \
                 identity has renewed it, like `icnctl id renew`"
            ),
            _ => format!("certificate valid until {end}"),
        }
    }

    /// What is wrong, or will be within some hours.
    pub(super) fn problem(&self, hours: u64) -> Option<String> {
        let soon = self.now.saturating_add(hours.saturating_mul(3600));
        match self.status() {
            _ if !self.clock_is_set => Some(format!("TLS {}", self.in_words())),
            "valid" if hours > 0 && soon > self.end => Some(format!(
                "the TLS certificate ends within {hours} hours, on {}: nothing has renewed it",
                date(self.end)
            )),
            "valid" => None,
            _ => Some(format!("TLS {}", self.in_words())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_each_end_is_inside() {
        let at = |now| Validity {
            begin: Some(1_800_000_000),
            end: 1_800_360_000,
            now,
            clock_is_set: true,
        };
        for (now, status) in [
            (0, "not-yet-valid"),
            (1_799_999_999, "not-yet-valid"),
            (1_800_000_000, "valid"),
            (1_800_360_000, "valid"),
            (1_800_360_001, "expired"),
        ] {
            assert_eq!(at(now).status(), status);
            assert_eq!(at(now).is_expired(), status == "expired");
            assert_eq!(at(now).problem(0).is_none(), status == "valid", "{now}");
        }
        // A hundred hours.
        assert!(at(1_800_000_000).problem(100).is_none());
        assert!(at(1_800_000_000).problem(101).is_some_and(|it| it.contains("within 101 hours")));
        assert!(at(1_800_000_000).problem(u64::MAX).is_some());
        assert!(at(1_900_000_000).in_words().contains("EXPIRED on 2027-01-19"));
    }
}
