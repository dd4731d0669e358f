//! The state of a machine, as its TPM measures it: what is demanded, and what is stated.

use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest as _, Sha256};

use super::{AttestationError, MAX_FILE_LEN, TpmRefusal};
use crate::encoding::hex;
use crate::locator::{InvalidPcrs, PcrBank, PcrValues};

/// PCRs that a TPM has (TCG PC Client Platform TPM Profile, section 4.6.1).
const PCR_COUNT: u8 = 24;

/// Platform configuration registers (PCRs) of the SHA-256 bank, and the digest of their values: as
/// a relying party [demands](super::Verifier::pcr_policy) them, and as a TPM states them
/// (`TPM2_Quote`).
///
/// Two are equal where both the registers and the digest are. There is at least one register.
#[derive(Clone, PartialEq, Eq)]
pub struct PcrState {
    indices: BTreeSet<u8>,
    digest: [u8; 32],
}

impl PcrState {
    /// Reads the values of PCRs: what `tpm2_pcrread sha256:0,7` prints on a machine in the state
    /// that is meant, or JSON (`{"bank":"sha256","values":{"0":"00…","7":"00…"}}`).
    ///
    /// # Errors
    ///
    /// [`AttestationError::TooLong`]; [`AttestationError::Pcrs`] if it is neither, or names a PCR
    /// that there is not; [`AttestationError::PcrBank`] for another bank,
    /// [`AttestationError::NoPcr`], and [`AttestationError::PcrValue`] for a value that is not
    /// 32 bytes in hex.
    pub fn parse(values: &str) -> Result<Self, AttestationError> {
        if values.len() > MAX_FILE_LEN {
            return Err(AttestationError::TooLong { limit: MAX_FILE_LEN });
        }
        Self::of(&PcrValues::parse(values).map_err(AttestationError::Pcrs)?)
    }

    fn of(read: &PcrValues) -> Result<Self, AttestationError> {
        if read.bank != PcrBank::Sha256 {
            return Err(AttestationError::PcrBank { found: read.bank.as_str() });
        }
        if read.values.is_empty() {
            return Err(AttestationError::NoPcr);
        }
        let mut hash = Sha256::new();
        for ((index, value), position) in read.values.iter().zip(1..) {
            if *index >= PCR_COUNT {
                return Err(AttestationError::Pcrs(InvalidPcrs::Index { position }));
            }
            let value = hex::decode(value).filter(|value| value.len() == 32);
            hash.update(value.ok_or(AttestationError::PcrValue { index: *index })?);
        }
        let indices = read.values.keys().copied().collect();
        Ok(Self { indices, digest: hash.finalize().into() })
    }

    /// As a TPM states it; `None` without any register.
    pub(super) fn stated(indices: BTreeSet<u8>, digest: [u8; 32]) -> Option<Self> {
        if indices.is_empty() { None } else { Some(Self { indices, digest }) }
    }

    /// The registers, in rising order.
    pub fn indices(&self) -> impl Iterator<Item = u8> + '_ {
        self.indices.iter().copied()
    }

    /// The SHA-256 of their values one after the other, in the order of [`Self::indices`], as
    /// `TPM2_Quote` states it (TPM 2.0 Library, part 3, section 18.4).
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// That this is what was stated: the same registers, no more and no fewer, and the same digest.
    /// (A digest alone says nothing: it is one of whatever was selected.)
    pub(super) fn check(&self, stated: Option<&Self>) -> Result<(), TpmRefusal> {
        let Some(stated) = stated else {
            return Err(TpmRefusal::NoQuote { expected: self.to_string() });
        };
        if stated.indices != self.indices {
            let (expected, found) = (self.to_string(), stated.to_string());
            return Err(TpmRefusal::PcrSelection { expected, found });
        }
        if stated.digest != self.digest {
            let [expected, found] = [self.digest, stated.digest].map(|digest| hex::encode(&digest));
            return Err(TpmRefusal::PcrDigest { pcrs: self.to_string(), expected, found });
        }
        Ok(())
    }
}

/// The registers: `0,7`.
impl fmt::Display for PcrState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, place) in self.indices.iter().zip(0..) {
            write!(f, "{}{index}", if place == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Debug for PcrState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PcrState({self}: {})", hex::encode(&self.digest))
    }
}
