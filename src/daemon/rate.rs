//! How often somebody may ask.

use std::time::{Duration, Instant};

use crate::config::Rate;

/// Admits so many in a time, and as many at once.
#[derive(Debug)]
pub(super) struct Limiter {
    /// What one of them costs.
    each: Duration,
    /// What may be owed at most.
    most: Duration,
    /// When nothing will be owed any more.
    paid: Option<Instant>,
}

impl Limiter {
    pub(super) fn new(rate: Rate) -> Self {
        let most = rate.per.duration();
        Self { each: most / rate.count.get(), most, paid: None }
    }

    /// Admits one more, or says after how long it would.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        let owed = self.paid.map_or(Duration::ZERO, |paid| paid.saturating_duration_since(now));
        let would = owed + self.each;
        if would > self.most {
            return Err(would - self.most);
        }
        self.paid = Some(now + would);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(rate: &str) -> Limiter {
        Limiter::new(serde_json::from_str(&format!("{rate:?}")).unwrap())
    }

    #[test]
    fn so_many_come_at_once_and_then_one_in_each_part_of_the_time() {
        let (start, mut limiter) = (Instant::now(), limiter("4/s"));
        for _ in 0..4 {
            limiter.admit(start).unwrap();
        }
        assert_eq!(limiter.admit(start), Err(Duration::from_millis(250)));
        // Who was refused owes nothing for it.
        assert_eq!(limiter.admit(start), Err(Duration::from_millis(250)));
        assert!(limiter.admit(start + Duration::from_millis(249)).is_err());
        limiter.admit(start + Duration::from_millis(250)).unwrap();
        assert!(limiter.admit(start + Duration::from_millis(250)).is_err());
        // After the whole time all are there again, and not more.
        let later = start + Duration::from_secs(60);
        let admitted = (0..10).filter(|_| limiter.admit(later).is_ok()).count();
        assert_eq!(admitted, 4);
    }

    #[test]
    fn a_million_in_a_second_is_counted_too() {
        let (start, mut limiter) = (Instant::now(), limiter("1000000/s"));
        let admitted = (0..1_000_100).filter(|_| limiter.admit(start).is_ok()).count();
        assert_eq!(admitted, 1_000_000);
    }
}
