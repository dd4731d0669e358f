//! Platform configuration registers: reading, selecting, digesting.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use tss_esapi::Context;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::structures::{PcrSelectionList, PcrSlot};

use super::failure::{Doing as _, Failed};
use crate::backend::{PcrBank, PcrValues};
use crate::encoding::hex;
use crate::error::{PcrDifference, TpmError};

impl PcrValues {
    pub(super) fn indices(&self) -> impl Iterator<Item = u8> + '_ {
        self.values.keys().copied()
    }

    /// The values one after the other, in rising order of their index; `None`
    /// if one is no value of this bank.
    fn concatenated(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for value in self.values.values() {
            let value = hex::decode(value).filter(|v| v.len() == self.bank.digest_len())?;
            bytes.extend(value);
        }
        Some(bytes)
    }

    /// `TPM2_PolicyPCR`'s `pcrDigest`, in a SHA-256 policy.
    pub(super) fn digest(&self) -> Option<[u8; 32]> {
        Some(Sha256::digest(self.concatenated()?).into())
    }

    /// Whether these are values of this bank, and at least one. (An empty
    /// selection makes a policy that binds to nothing.)
    pub(super) fn is_valid(&self) -> bool {
        let in_range = self.indices().all(|index| index < 24);
        !self.values.is_empty() && in_range && self.concatenated().is_some()
    }

    /// `TPML_PCR_SELECTION`, marshalled (part 2, section 10.9.7): one bank, and
    /// a bit map of 24 registers.
    pub(super) fn marshalled_selection(&self) -> [u8; 10] {
        let [zero, one, two, _] = self
            .indices()
            .fold(0_u32, |bits, index| bits | 1_u32.wrapping_shl(index.into()))
            .to_le_bytes();
        let [high, low] = algorithm_id(self.bank).to_be_bytes();
        [0, 0, 0, 1, high, low, 3, zero, one, two]
    }

    pub(super) fn selection(&self) -> Result<PcrSelectionList, Failed> {
        selection(self.bank, self.indices())
    }

    /// Each register that has another value in `found`.
    pub(super) fn differences(&self, found: &Self) -> Vec<PcrDifference> {
        let of = |index: &u8| found.values.get(index).cloned().unwrap_or_default();
        self.values
            .iter()
            .filter(|(index, expected)| of(index) != **expected)
            .map(|(index, expected)| PcrDifference {
                bank: self.bank.as_str(),
                index: *index,
                expected: expected.clone(),
                found: of(index),
            })
            .collect()
    }
}

/// `TPM_ALG_ID` of a bank.
const fn algorithm_id(bank: PcrBank) -> u16 {
    match bank {
        PcrBank::Sha1 => 0x0004,
        PcrBank::Sha256 => 0x000b,
        PcrBank::Sha384 => 0x000c,
        PcrBank::Sha512 => 0x000d,
    }
}

const fn algorithm(bank: PcrBank) -> HashingAlgorithm {
    match bank {
        PcrBank::Sha1 => HashingAlgorithm::Sha1,
        PcrBank::Sha256 => HashingAlgorithm::Sha256,
        PcrBank::Sha384 => HashingAlgorithm::Sha384,
        PcrBank::Sha512 => HashingAlgorithm::Sha512,
    }
}

pub(super) fn selection(
    bank: PcrBank,
    indices: impl Iterator<Item = u8>,
) -> Result<PcrSelectionList, Failed> {
    let slots: Result<Vec<_>, _> =
        indices.map(|index| PcrSlot::try_from(1_u32.wrapping_shl(index.into()))).collect();
    PcrSelectionList::builder()
        .with_selection(algorithm(bank), &slots.doing("select PCRs")?)
        .build()
        .doing("select PCRs")
}

/// The registers of all banks of a list.
pub(super) fn indices_of(selections: &PcrSelectionList) -> Vec<u8> {
    let slots = selections.get_selections().iter().flat_map(|selection| selection.selected());
    slots.filter_map(|slot| u8::try_from(u32::from(slot).trailing_zeros()).ok()).collect()
}

/// The present values.
pub(super) fn read(
    context: &mut Context,
    bank: PcrBank,
    indices: impl Iterator<Item = u8>,
) -> Result<PcrValues, Failed> {
    let mut left: Vec<u8> = indices.collect();
    let mut values = BTreeMap::new();
    // A TPM gives eight at a time.
    while !left.is_empty() {
        let asked = selection(bank, left.iter().copied())?;
        let (_, given, digests) = context
            .execute_without_session(|context| context.pcr_read(asked))
            .doing("read its PCRs")?;
        let given = indices_of(&given);
        if given.is_empty() || given.len() != digests.len() {
            return Err(TpmError::NoBank { bank: bank.as_str() }.into());
        }
        for (index, digest) in given.iter().zip(digests.value()) {
            values.insert(*index, hex::encode(digest.value()));
        }
        left.retain(|index| !given.contains(index));
    }
    Ok(PcrValues { bank, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(bank: PcrBank, indices: &[u8]) -> PcrValues {
        let value = "00".repeat(bank.digest_len());
        PcrValues { bank, values: indices.iter().map(|index| (*index, value.clone())).collect() }
    }

    #[test]
    fn a_selection_is_a_bit_map_of_24() {
        let selection = values(PcrBank::Sha256, &[0, 7, 8, 23]).marshalled_selection();
        assert_eq!(selection, [0, 0, 0, 1, 0, 0x0b, 3, 0x81, 0x01, 0x80]);
    }

    #[test]
    fn values_of_another_length_no_register_and_too_high_ones_are_refused() {
        assert!(values(PcrBank::Sha384, &[7]).is_valid());
        assert!(!values(PcrBank::Sha256, &[]).is_valid());
        assert!(!values(PcrBank::Sha256, &[24]).is_valid());
        let mut wrong = values(PcrBank::Sha256, &[7]);
        wrong.bank = PcrBank::Sha1;
        assert!(!wrong.is_valid());
        wrong.values.insert(7, "XY".repeat(20));
        assert!(!wrong.is_valid());
    }

    #[test]
    fn each_register_that_differs_is_named() {
        let expected = values(PcrBank::Sha256, &[0, 7]);
        let mut found = expected.clone();
        found.values.insert(7, "11".repeat(32));
        let differences = expected.differences(&found);
        assert_eq!(differences.len(), 1);
        assert!(differences[0].to_string().starts_with("PCR 7 (sha256) is 111111111111…"));
        assert!(expected.differences(&expected).is_empty());
    }
}
