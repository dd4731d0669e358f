//! Whether what was noted is of the device that a PIN is for now.
//!
//! Of a key of a TPM the salt of its PIN tells: it changes when the key gets another PIN,
//! and with nothing else. Two tokens are one unless something tells them apart that is known
//! of both: a serial number of its own; where others have that too, the label; where others
//! have both, a key that they show, or the slot that the configuration names. A label alone
//! makes no other token, since anybody can change it.
//!
//! Where nothing tells, it may be another one. A refused PIN is not sent to it either: who
//! knows better says so. But what it takes has nothing forgotten that another one has
//! refused.

use super::device::TriedDevice;
use super::notes::Refusal;
use crate::did::Did;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sameness {
    /// It is the device.
    Same,
    /// Nothing that is known tells it from the device.
    Perhaps,
    /// It is another one.
    Another,
}

impl Refusal {
    pub(super) fn sameness(&self, device: &TriedDevice) -> Sameness {
        use Sameness::{Another, Perhaps, Same};
        if let Some(salt) = &self.salt {
            return if device.salt() == Some(salt) { Same } else { Another };
        }
        let serials = self.serial.as_deref().zip(device.serial());
        if serials.is_some_and(|(one, other)| one != other) {
            return Another;
        }
        if self.shares_key_with(device) {
            return Same;
        }
        let alone = (!self.shares_serial, !device.shares_serial());
        if serials.is_some() && alone == (true, true) {
            // Two makers may give one number each.
            let makers = self.maker.as_deref().zip(device.maker());
            return if makers.is_none_or(|(one, other)| one == other) { Same } else { Perhaps };
        }
        if self.token != device.name() {
            let number_may_tell = serials.is_some() && (alone.0 || alone.1);
            return if number_may_tell { Perhaps } else { Another };
        }
        if !self.shares_name && !device.shares_name() {
            return Same;
        }
        let both_show_keys = !self.shown.is_empty() && !device.shown().is_empty();
        if both_show_keys {
            return Another;
        }
        match (&self.slot, device.slot()) {
            (Some(one), Some(other)) if one == other => Same,
            (Some(one), Some(other)) if one.module == other.module => Another,
            _ => Perhaps,
        }
    }

    /// Whether it is of this device, for certain.
    pub(super) fn is_by(&self, device: &TriedDevice) -> bool {
        self.sameness(device) == Sameness::Same
    }

    /// Whether it is of this device, or nothing tells that it is not.
    pub(super) fn may_be_by(&self, device: &TriedDevice) -> bool {
        self.sameness(device) != Sameness::Another
    }

    /// A key that was wanted of it, or that it has shown. Whoever has the same key in two
    /// tokens of one number has one in our eyes.
    fn shares_key_with(&self, device: &TriedDevice) -> bool {
        let noted: Vec<_> = self.key.iter().chain(&self.shown).filter_map(|did| key(did)).collect();
        let mut present = device.key().into_iter().chain(device.shown().iter().map(String::as_str));
        !noted.is_empty() && present.any(|did| key(did).is_some_and(|key| noted.contains(&key)))
    }
}

/// By either method.
fn key(did: &str) -> Option<crate::algorithm::VerifyingKey> {
    Did::parse(did).ok().map(|did| *did.verifying_key())
}
