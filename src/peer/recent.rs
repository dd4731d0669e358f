//! A map that forgets what was not used for longest.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// At most `capacity` entries. When they are all taken, the half that was not
/// used for longest goes at once, so that it costs little per entry.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    entries: HashMap<K, (u64, V)>,
    capacity: usize,
    /// Counts uses.
    clock: u64,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), capacity: capacity.max(2), clock: 0 }
    }

    pub(crate) fn used<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.clock = self.clock.saturating_add(1);
        let (used, value) = self.entries.get_mut(key)?;
        *used = self.clock;
        Some(value)
    }

    /// Without that it counts as a use.
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.get(key).map(|(_, value)| value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&key) {
            self.forget_half();
        }
        self.clock = self.clock.saturating_add(1);
        self.entries.insert(key, (self.clock, value));
    }

    fn forget_half(&mut self) {
        let mut uses: Vec<u64> = self.entries.values().map(|(used, _)| *used).collect();
        let middle = uses.len() / 2;
        let (_, kept_from, _) = uses.select_nth_unstable(middle);
        let kept_from = *kept_from;
        self.entries.retain(|_, (used, _)| *used >= kept_from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_half_that_was_not_used_for_longest_is_forgotten() {
        let mut recent = Recent::new(4);
        for key in 0..4 {
            recent.insert(key, key);
        }
        assert_eq!(recent.used(&0), Some(&mut 0));
        assert_eq!(recent.get(&1), Some(&1));
        recent.insert(4, 4);
        let kept: Vec<_> = (0..5).filter(|key| recent.used(key).is_some()).collect();
        assert_eq!(kept, [0, 3, 4]);
        for key in 0..1000 {
            recent.insert(key, key);
            assert!(recent.entries.len() <= 4);
        }
        // What is there already displaces nothing.
        let before = recent.entries.len();
        recent.insert(999, 1);
        assert_eq!(recent.entries.len(), before);
        assert_eq!(recent.used(&999), Some(&mut 1));
    }
}
