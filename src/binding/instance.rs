//! Which holder of a DID a binding is of, and where it stands among the others.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::encoding::hex;
use crate::secret::{NoRandomness, fill_random};

/// One home of a TLS key of a DID: the files of an identity, or the memory of a
/// process that renews for itself. 16 random bytes, made with it.
///
/// The sequence numbers of bindings count per DID and instance, so that several
/// holders of one DID do not shut each other out. It is public, and says nothing of
/// the machine. Written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instance(#[serde(with = "hex")] [u8; 16]);

impl Instance {
    /// Another one than any there is.
    pub(crate) fn fresh() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 16];
        fill_random(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// As a store has kept it.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instance({self})")
    }
}

/// Where a binding stands among those of its DID: ordered by its epoch, and within
/// an epoch by its sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "by name, so that nobody swaps the two")]
pub struct BindingNumber {
    /// Counts for the whole DID: a binding of a later epoch ends all of earlier ones.
    pub epoch: u64,
    /// Counts per instance.
    pub sequence: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_written_as_32_digits_and_read_in_that_form_only() {
        let instance = Instance::from_bytes(std::array::from_fn(|at| u8::try_from(at).unwrap()));
        let text = "000102030405060708090a0b0c0d0e0f";
        assert_eq!(instance.to_string(), text);
        assert_eq!(format!("{instance:?}"), format!("Instance({text})"));
        let json = serde_json::to_string(&instance).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Instance>(&json).unwrap(), instance);
        for wrong in [&text[1..], &text[2..], &text.to_uppercase(), &format!("{text}00"), ""] {
            assert!(serde_json::from_str::<Instance>(&format!("\"{wrong}\"")).is_err(), "{wrong}");
        }
        assert_ne!(Instance::fresh().unwrap(), Instance::fresh().unwrap());
    }

    #[test]
    fn a_later_epoch_stands_above_every_number_of_an_earlier_one() {
        let mut sorted = [(0, u64::MAX), (1, 0), (0, 3), (1, 7)]
            .map(|(epoch, sequence)| BindingNumber { epoch, sequence });
        sorted.sort_unstable();
        assert_eq!(
            sorted.map(|number| (number.epoch, number.sequence)),
            [(0, 3), (0, u64::MAX), (1, 0), (1, 7)]
        );
    }
}
