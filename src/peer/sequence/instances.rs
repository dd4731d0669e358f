//! What is remembered of one DID.

use std::collections::HashSet;

use super::{Highest, SequenceError};
use crate::binding::{BindingNumber, Instance};

/// As many instances of one DID are remembered.
pub(in crate::peer) const LIMIT: usize = 64;

/// The latest epoch, and the highest sequence number of each instance in it.
#[derive(Debug)]
pub(in crate::peer) struct Instances {
    epoch: u64,
    /// The one seen least recently comes first.
    sequences: Vec<(Instance, u64)>,
}

impl Instances {
    pub(in crate::peer) fn beginning_with(instance: Instance, number: BindingNumber) -> Self {
        Self { epoch: number.epoch, sequences: vec![(instance, number.sequence)] }
    }

    pub(in crate::peer) fn highest(&self, instance: &Instance) -> Highest {
        let known = self.sequences.iter().find(|(known, _)| known == instance);
        Highest::new(self.epoch, known.map(|(_, sequence)| *sequence))
    }

    pub(in crate::peer) fn admit(
        &mut self,
        instance: &Instance,
        number: BindingNumber,
    ) -> Result<(), SequenceError> {
        // Who is refused was not seen: nothing is forgotten for it, or kept.
        self.highest(instance).check(number)?;
        if number.epoch > self.epoch {
            *self = Self::beginning_with(*instance, number);
            return Ok(());
        }
        match self.sequences.iter().position(|(known, _)| known == instance) {
            Some(at) => drop(self.sequences.remove(at)),
            None if self.sequences.len() >= LIMIT => drop(self.sequences.remove(0)),
            None => {}
        }
        self.sequences.push((*instance, number.sequence));
        Ok(())
    }

    /// As it was kept; `None` if there are more than would be, or one is there twice: which of
    /// its numbers counts would be a matter of their order.
    pub(in crate::peer) fn kept(epoch: u64, sequences: Vec<(Instance, u64)>) -> Option<Self> {
        let different: HashSet<&Instance> = sequences.iter().map(|(known, _)| known).collect();
        let is_kept = sequences.len() <= LIMIT && different.len() == sequences.len();
        is_kept.then_some(Self { epoch, sequences })
    }

    pub(in crate::peer) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// To be kept, in this order.
    pub(in crate::peer) fn sequences(&self) -> &[(Instance, u64)] {
        &self.sequences
    }

    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.sequences.len()
    }
}

#[cfg(all(test, feature = "keystore"))]
mod tests {
    use super::*;
    use crate::config::MOST_INSTANCES;

    /// Two hosts of one DID, each an instance with those of its clients.
    #[test]
    fn there_is_room_for_all_instances_of_two_daemons() {
        let of_a_host = usize::try_from(MOST_INSTANCES).unwrap() + 1;
        assert!(2 * of_a_host <= LIMIT);
    }
}
