//! The signature of a TPM (`TPMT_SIGNATURE`, TPM 2.0 Library, part 2, section 11.3.4).

use super::wire::{Reader, put_sized};
use crate::algorithm::{AlgorithmId, Signature as OfKey, VerifyingKey};
use crate::attestation::tpm_algorithm::{ECDSA, SHA1, SHA256};
use crate::attestation::{TpmAlgorithm, TpmField, TpmRefusal as Refusal};

/// The longest number of ECDSA: P-521.
const MAX_NUMBER: usize = 66;

/// A signature by ECDSA with SHA-256. Others are refused by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::attestation) struct Signature {
    r: Vec<u8>,
    s: Vec<u8>,
}

impl Signature {
    /// Reads one, and nothing after it. What is read is what would be written.
    pub(in crate::attestation) fn read(bytes: &[u8], field: TpmField) -> Result<Self, Refusal> {
        let mut reader = Reader::new(bytes);
        let (Some(algorithm), Some(hash)) = (reader.u16(), reader.u16()) else {
            return Err(Refusal::Malformed { field });
        };
        match (algorithm, hash) {
            (ECDSA, SHA256) => {}
            (_, SHA1) => return Err(Refusal::Sha1 { field }),
            (ECDSA, _) => return Err(Refusal::Algorithm { field, found: TpmAlgorithm(hash) }),
            _ => return Err(Refusal::Algorithm { field, found: TpmAlgorithm(algorithm) }),
        }
        let mut read = || {
            let (r, s) = (reader.sized(MAX_NUMBER)?, reader.sized(MAX_NUMBER)?);
            reader.is_at_end().then(|| Self { r: r.to_vec(), s: s.to_vec() })
        };
        read().ok_or(Refusal::Malformed { field })
    }

    /// As the TPM marshals it.
    #[cfg_attr(not(any(test, fuzzing)), allow(dead_code, reason = "for tests and fuzzing"))]
    pub(in crate::attestation) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [ECDSA.to_be_bytes(), SHA256.to_be_bytes()].concat();
        put_sized(&mut bytes, &self.r);
        put_sized(&mut bytes, &self.s);
        bytes
    }

    /// That this key signed these bytes.
    pub(super) fn check(
        &self,
        key: &VerifyingKey,
        signed: &[u8],
        field: TpmField,
    ) -> Result<(), Refusal> {
        let mut bytes = [0; 64];
        let (to_r, to_s) = bytes.split_at_mut(32);
        for (to, from) in [(to_r, &self.r), (to_s, &self.s)] {
            // Some TPMs leave zeros in front away.
            let before = to.len().checked_sub(from.len()).ok_or(Refusal::Malformed { field })?;
            let (_, to) = to.split_at_mut(before);
            to.copy_from_slice(from);
        }
        let signature = OfKey::from_bytes(AlgorithmId::P256, bytes);
        // A TPM does not choose the lower of the two values of s.
        key.verify(signed, &signature).map_err(|_| Refusal::Signature { field })
    }
}
