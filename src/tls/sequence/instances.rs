//! What is remembered of one DID.

use super::{Highest, SequenceError};
use crate::binding::{BindingNumber, Instance};

/// As many instances of one DID are remembered.
const LIMIT: usize = 64;

/// The latest epoch, and the highest sequence number of each instance in it.
#[derive(Debug)]
pub(super) struct Instances {
    epoch: u64,
    /// The one seen least recently comes first.
    sequences: Vec<(Instance, u64)>,
}

impl Instances {
    pub(super) fn beginning_with(instance: Instance, number: BindingNumber) -> Self {
        Self { epoch: number.epoch, sequences: vec![(instance, number.sequence)] }
    }

    pub(super) fn highest(&self, instance: &Instance) -> Highest {
        let known = self.sequences.iter().find(|(known, _)| known == instance);
        Highest::new(self.epoch, known.map(|(_, sequence)| *sequence))
    }

    pub(super) fn admit(
        &mut self,
        instance: &Instance,
        number: BindingNumber,
    ) -> Result<(), SequenceError> {
        let highest = self.highest(instance);
        let checked = highest.check(number);
        if checked.is_ok() && number.epoch > self.epoch {
            *self = Self::beginning_with(*instance, number);
            return Ok(());
        }
        let known = self.sequences.iter().position(|(known, _)| known == instance);
        match (known.map(|at| self.sequences.remove(at)), &checked) {
            // Seen, also where it is refused.
            (Some((_, highest)), Err(_)) => self.sequences.push((*instance, highest)),
            (None, Err(_)) => {}
            (_, Ok(())) => {
                if self.sequences.len() >= LIMIT {
                    self.sequences.remove(0);
                }
                self.sequences.push((*instance, number.sequence));
            }
        }
        checked
    }

    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.sequences.len()
    }
}
