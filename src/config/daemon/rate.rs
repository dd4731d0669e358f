//! How often a client may ask.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How often a client may ask: `100/s`, `60/min`, `1000/h`. So many may also come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rate {
    /// How many requests, 1 to 1,000,000.
    pub count: NonZeroU32,
    /// In which time.
    pub per: RatePeriod,
}

/// In which time a number of requests may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RatePeriod {
    /// `/s`
    Second,
    /// `/min`
    Minute,
    /// `/h`
    Hour,
}

impl RatePeriod {
    /// As it is written: `s`, `min` or `h`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "h",
        }
    }

    /// How long it is.
    #[must_use]
    pub const fn duration(self) -> Duration {
        match self {
            Self::Second => Duration::from_secs(1),
            Self::Minute => Duration::from_secs(60),
            Self::Hour => Duration::from_secs(3600),
        }
    }
}

impl Rate {
    fn parse(text: &str) -> Option<Self> {
        let (count, per) = text.split_once('/')?;
        let count: NonZeroU32 = count.parse().ok()?;
        let per = [RatePeriod::Second, RatePeriod::Minute, RatePeriod::Hour]
            .into_iter()
            .find(|period| period.as_str() == per)?;
        // Without a sign, and without zeros before it.
        let rate = Self { count, per };
        (count.get() <= 1_000_000 && rate.to_string() == text).then_some(rate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per.as_str())
    }
}

impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a rate"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_one_spelling() {
        for text in ["1/s", "100/s", "60/min", "1000000/h"] {
            assert_eq!(Rate::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "1", "/s", "0/s", "-1/s", "+1/s", "1/S", "1/sec", "1 /s", "1000001/h"] {
            assert_eq!(Rate::parse(text), None, "{text:?}");
        }
        assert_eq!(Rate::parse("60/min").unwrap().per.duration(), Duration::from_secs(60));
    }
}
