//! What a TPM states of itself (`TPMS_ATTEST`, TPM 2.0 Library, part 2, section 10.12.12).

use super::wire::{Reader, put_sized};
use crate::attestation::bytes::Name;
use crate::attestation::{TpmField, TpmRefusal as Refusal};

/// `TPM_GENERATED_VALUE`, which a restricted key signs nothing else that begins with.
const MAGIC: u32 = 0xff54_4347;
const CERTIFY: u16 = 0x8017;
const QUOTE: u16 = 0x8018;

/// The longest Name: SHA-512.
const MAX_NAME: usize = 66;
/// The longest qualifying data (`TPM2B_DATA`).
const MAX_DATA: usize = 66;
/// Banks that a TPM can have at most, and the bytes of a bitmap of registers.
const MAX_BANKS: u32 = 16;
const MAX_SELECT: usize = 4;

/// A statement, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::attestation) struct Attest {
    /// The qualified name of the key that signed.
    pub(super) qualified_signer: Vec<u8>,
    pub(super) extra_data: Vec<u8>,
    /// Clock, counts of resets and restarts, and whether the clock is safe.
    clock: [u8; 17],
    pub(super) firmware: u64,
    pub(super) stated: Stated,
}

/// What is stated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::attestation) enum Stated {
    /// An object with this Name is loaded.
    Certify { name: Vec<u8>, qualified_name: Vec<u8> },
    /// Registers have this digest.
    Quote { selection: Vec<Bank>, digest: Vec<u8> },
}

/// Registers of one bank (`TPMS_PCR_SELECTION`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::attestation) struct Bank {
    pub(super) hash: u16,
    pub(super) bitmap: Vec<u8>,
}

impl Attest {
    /// Reads one, and nothing after it. What is read is what would be written.
    pub(in crate::attestation) fn read(bytes: &[u8], field: TpmField) -> Result<Self, Refusal> {
        let mut reader = Reader::new(bytes);
        match reader.u32() {
            Some(MAGIC) => {}
            Some(_) => return Err(Refusal::Magic { field }),
            None => return Err(Refusal::Malformed { field }),
        }
        match reader.u16() {
            Some(kind @ (CERTIFY | QUOTE)) => {
                Self::rest(reader, kind).ok_or(Refusal::Malformed { field })
            }
            Some(found) => Err(Refusal::Statement { field, found }),
            None => Err(Refusal::Malformed { field }),
        }
    }

    fn rest(mut reader: Reader<'_>, kind: u16) -> Option<Self> {
        let qualified_signer = reader.sized(MAX_NAME)?.to_vec();
        let extra_data = reader.sized(MAX_DATA)?.to_vec();
        let clock: [u8; 17] = reader.array()?;
        // `safe` is a TPMI_YES_NO.
        if clock.last().is_none_or(|safe| *safe > 1) {
            return None;
        }
        let firmware = reader.u64()?;
        let stated = if kind == CERTIFY {
            let name = reader.sized(MAX_NAME)?.to_vec();
            Stated::Certify { name, qualified_name: reader.sized(MAX_NAME)?.to_vec() }
        } else {
            let banks = reader.u32().filter(|count| *count <= MAX_BANKS)?;
            let selection = (0..banks).map(|_| {
                let hash = reader.u16()?;
                let length = usize::from(reader.u8()?);
                let bitmap = reader.bytes(length).filter(|_| length <= MAX_SELECT)?.to_vec();
                Some(Bank { hash, bitmap })
            });
            let selection = selection.collect::<Option<_>>()?;
            Stated::Quote { selection, digest: reader.sized(MAX_NAME)?.to_vec() }
        };
        reader.end()?;
        Some(Self { qualified_signer, extra_data, clock, firmware, stated })
    }

    /// Its type (`TPM_ST`).
    pub(super) const fn kind(&self) -> u16 {
        match self.stated {
            Stated::Certify { .. } => CERTIFY,
            Stated::Quote { .. } => QUOTE,
        }
    }

    /// Counts of resets and of restarts (`TPMS_CLOCK_INFO`): another boot has others.
    pub(super) fn boot(&self) -> Option<&[u8]> {
        self.clock.get(8..16)
    }

    /// As the TPM marshals it.
    #[cfg_attr(not(any(test, fuzzing)), allow(dead_code, reason = "for tests and fuzzing"))]
    pub(in crate::attestation) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_be_bytes().to_vec();
        bytes.extend(self.kind().to_be_bytes());
        put_sized(&mut bytes, &self.qualified_signer);
        put_sized(&mut bytes, &self.extra_data);
        bytes.extend(self.clock);
        bytes.extend(self.firmware.to_be_bytes());
        match &self.stated {
            Stated::Certify { name, qualified_name } => {
                put_sized(&mut bytes, name);
                put_sized(&mut bytes, qualified_name);
            }
            Stated::Quote { selection, digest } => {
                bytes.extend(u32::try_from(selection.len()).unwrap_or(u32::MAX).to_be_bytes());
                for Bank { hash, bitmap } in selection {
                    bytes.extend(hash.to_be_bytes());
                    bytes.push(u8::try_from(bitmap.len()).unwrap_or(u8::MAX));
                    bytes.extend_from_slice(bitmap);
                }
                put_sized(&mut bytes, digest);
            }
        }
        bytes
    }

    /// That a certain object is what is stated.
    pub(in crate::attestation) fn check_certifies(
        &self,
        name: &Name,
        field: TpmField,
    ) -> Result<(), Refusal> {
        match &self.stated {
            Stated::Certify { name: certified, .. } if certified == name => Ok(()),
            Stated::Certify { .. } => Err(Refusal::OtherObject),
            Stated::Quote { .. } => Err(Refusal::Statement { field, found: QUOTE }),
        }
    }
}
