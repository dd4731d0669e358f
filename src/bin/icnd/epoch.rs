//! What was seen of peers, and the epoch of our own DID, which nobody has to show first.

use std::sync::Arc;

use icn_identity::Did;
use icn_identity::peer::{BindingNumber, Highest, Instance, SequenceError, SequenceStore};

use crate::door::Door;

/// Certificates of the DID from before the epoch that the identity is in now are refused.
pub(crate) struct OwnEpoch {
    pub(crate) door: Arc<Door>,
    pub(crate) seen: Arc<dyn SequenceStore>,
}

impl OwnEpoch {
    /// What the identity itself says of a DID.
    fn own(&self, did: &Did) -> Highest {
        match self.door.opened() {
            Some(open) if open.bundle.did() == did => {
                Highest::new(open.bundle.binding().epoch(), None)
            }
            _ => Highest::NOTHING,
        }
    }
}

impl SequenceStore for OwnEpoch {
    fn highest(&self, did: &Did, instance: &Instance) -> Result<Highest, SequenceError> {
        let (own, seen) = (self.own(did), self.seen.highest(did, instance)?);
        Ok(if own.epoch() > seen.epoch() { own } else { seen })
    }

    fn admit(
        &self,
        did: &Did,
        instance: &Instance,
        number: BindingNumber,
    ) -> Result<(), SequenceError> {
        self.own(did).check(number)?;
        self.seen.admit(did, instance, number)
    }
}
