//! An object of a TPM: the chip keeps nothing of it, so all of it is here.

mod fields;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::encoding::{hex, named, objects, text};
use crate::kind::{ErrorKind, explain};

/// An object that one TPM made and only it opens: its two blobs, the storage
/// key that it lies under, and the policy that opens it.
///
/// Nothing here is secret, and nothing is trusted: the TPM loads the private
/// blob only together with this very public part, under this very parent, and
/// opens it only when the policy inside the public part is satisfied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TpmObject {
    /// The storage key above it.
    pub parent: TpmParent,
    /// `TPMT_PUBLIC`, marshalled (TPM 2.0 Library, part 2, section 12.2.4).
    #[serde(with = "hex")]
    pub public: Vec<u8>,
    /// The contents of `TPM2B_PRIVATE`: encrypted by the parent.
    #[serde(with = "hex")]
    pub private: Vec<u8>,
    /// How the policy in the public part is satisfied.
    pub policy: TpmPolicy,
}

/// The storage key above an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TpmParent {
    /// Its persistent handle; without one it is made anew each time from the
    /// owner's seed (TCG template H-2).
    pub handle: Option<u32>,
    /// Its Name: `000b` and the SHA-256 of its public part, 34 bytes.
    #[serde(with = "hex")]
    pub name: Vec<u8>,
}

/// What a policy is made of. The TPM knows only its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TpmPolicy {
    /// The values that platform configuration registers had, or were said to
    /// have next, when the object was made (`PolicyPCR`): any of them will do.
    /// Empty where PCRs do not matter.
    pub pcr: Vec<PcrValues>,
    /// Whose approval of other values is taken (`PolicyAuthorize`).
    pub authorized: Option<Authorized>,
    /// How a PIN becomes the object's secret (`PolicyAuthValue`).
    pub pin: Option<PinStretching>,
}

/// Values of PCRs of one bank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PcrValues {
    /// The bank.
    pub bank: PcrBank,
    /// Index (0 to 23) to value, lower-case hex.
    #[serde(with = "indices")]
    pub values: BTreeMap<u8, String>,
}

objects::object_only! {
    TpmObject as fields::Object, TpmParent as fields::Parent, TpmPolicy as fields::Policy,
    PcrValues as fields::Values, Authorized as fields::Approver,
    PinStretching as fields::Stretching,
}

/// The index of a PCR, in its one spelling: `07` beside `7` would be a second value of it.
pub(crate) fn index_of(text: &str) -> Option<u8> {
    let index: u8 = text.parse().ok()?;
    (index.to_string() == text).then_some(index)
}

/// JSON's keys are text, and serde does not make numbers of them everywhere.
mod indices {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(
        values: &BTreeMap<u8, String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        values.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<u8, String>, D::Error> {
        BTreeMap::<String, String>::deserialize(deserializer)?
            .into_iter()
            .map(|(text, value)| {
                let index = super::index_of(&text);
                Ok((index.ok_or_else(|| D::Error::custom("not the index of a PCR"))?, value))
            })
            .collect()
    }
}

impl PcrValues {
    /// Reads values from JSON (`{"bank":"sha256","values":{"7":"00…"}}`) or from
    /// what `tpm2_pcrread sha256:7` prints; also by [`str::parse`].
    ///
    /// # Errors
    ///
    /// [`InvalidPcrs`] names what is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, InvalidPcrs> {
        let text = text::after_mark_of(text);
        let mut read: Self = if text.trim_start().starts_with('{') {
            objects::from_str(text).map_err(|error| InvalidPcrs::Json { line: error.line() })?
        } else {
            Self::parse_pcrread(text)?
        };
        read.values.values_mut().for_each(|value| value.make_ascii_lowercase());
        Ok(read)
    }

    fn parse_pcrread(text: &str) -> Result<Self, InvalidPcrs> {
        let lines = text.lines().zip(1..).map(|(text, line)| (text.trim(), line));
        let mut lines = lines.filter(|(text, _)| !text.is_empty());
        let (first, _) = lines.next().ok_or(InvalidPcrs::Bank)?;
        let bank = first.strip_suffix(':').ok_or(InvalidPcrs::Bank)?;
        let bank = bank.parse().map_err(|_| InvalidPcrs::Bank)?;
        let mut values = BTreeMap::new();
        for (text, line) in lines {
            let (index, value) = text.split_once(':').ok_or(InvalidPcrs::Line { line })?;
            let value = value.trim().strip_prefix("0x").ok_or(InvalidPcrs::Line { line })?;
            let index = index_of(index.trim()).ok_or(InvalidPcrs::Line { line })?;
            if values.insert(index, value.to_owned()).is_some() {
                return Err(InvalidPcrs::Line { line });
            }
        }
        Ok(Self { bank, values })
    }

    /// These values, with those of `other` in their place where it has any;
    /// `None` if it is of another bank or has registers that these have not.
    #[must_use]
    pub fn overlaid(&self, other: &Self) -> Option<Self> {
        let fits = other.bank == self.bank
            && other.values.keys().all(|index| self.values.contains_key(index));
        let mut values = self.values.clone();
        values.extend(other.values.clone());
        fits.then_some(Self { bank: self.bank, values })
    }
}

impl FromStr for PcrValues {
    type Err = InvalidPcrs;
    fn from_str(text: &str) -> Result<Self, InvalidPcrs> {
        Self::parse(text)
    }
}

/// Why a text is no list of PCRs or of their values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPcrs {
    /// It begins with neither JSON nor the name of a bank.
    #[error("the values do not begin with a bank, like `sha256:`, or with JSON")]
    Bank,
    /// It is not the JSON of such values.
    #[error("line {line} is not JSON of PCR values")]
    Json {
        /// The line, from 1.
        line: usize,
    },
    /// A line is not an index and a value.
    #[error("line {line} is not like `7 : 0x00…`")]
    Line {
        /// The line, from 1.
        line: usize,
    },
    /// There is no such PCR.
    #[error("number {position} of the list is not the index of a PCR, 0 to 23")]
    Index {
        /// Where in the list, from 1.
        position: usize,
    },
}

explain!(InvalidPcrs);

impl InvalidPcrs {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Bank | Self::Json { .. } | Self::Line { .. } | Self::Index { .. } => {
                ErrorKind::InvalidInput
            }
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Bank | Self::Json { .. } | Self::Line { .. } => {
                "give what `tpm2_pcrread sha256:7` prints"
            }
            Self::Index { .. } => "give indices like 0,7",
        };
        Some(help.into())
    }
}

/// A bank of PCRs, by its hash algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PcrBank {
    /// SHA-1: for machines whose firmware fills no other bank.
    Sha1,
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl PcrBank {
    /// Bytes of a value.
    #[must_use]
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

named! {
    /// The name used in files: `sha256` and the like.
    PcrBank, "a bank of PCRs":
    Sha1 => "sha1", Sha256 => "sha256", Sha384 => "sha384", Sha512 => "sha512"
}

/// The key of an approver, and what its approvals are for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Authorized {
    /// P-256 public key of the approver, compressed, 33 bytes.
    #[serde(with = "hex")]
    pub approver: [u8; 33],
    /// `policyRef`, 32 bytes: an approval for one object approves no other.
    #[serde(with = "hex")]
    pub policy_ref: [u8; 32],
    /// What `policy_ref` was made from in place of the DID: 32 random bytes for
    /// a P-256 key, whose DID is known only after its policy was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

/// Whose approvals are taken, where the DID cannot say it: 32 random bytes
/// that were drawn for one P-256 key; hex in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(#[serde(with = "hex")] pub(crate) [u8; 32]);

/// How a PIN is stretched: scrypt, once for all objects of an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PinStretching {
    /// Salt, 16 random bytes.
    #[serde(with = "hex")]
    pub salt: [u8; 16],
    /// log2 of scrypt's N; r is 8, p is 1.
    pub log_n: u8,
}

impl fmt::Display for TpmObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parent.handle {
            Some(handle) => write!(f, "tpm2:parent={handle:#010x}")?,
            None => write!(f, "tpm2:parent=owner")?,
        }
        write!(f, ";policy={}", self.policy)
    }
}

impl fmt::Display for TpmPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(pcr) = self.pcr.first() {
            let indices: Vec<String> = pcr.values.keys().map(ToString::to_string).collect();
            let states = match self.pcr.len() {
                1 => String::new(),
                states => format!("({states} states)"),
            };
            parts.push(format!("{}:{}{states}", pcr.bank, indices.join(",")));
        }
        if self.authorized.is_some() {
            parts.push("authorized".to_owned());
        }
        if self.pin.is_some() {
            parts.push("pin".to_owned());
        }
        f.write_str(&parts.join("+"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_tools_print_them() {
        let value = "AB".repeat(32);
        let printed = format!("  sha256:\n    0 : 0x{value}\n    7 : 0x{}\n", "00".repeat(32));
        let values = PcrValues::parse(&printed).unwrap();
        assert_eq!(values.bank, PcrBank::Sha256);
        assert_eq!(values.values[&0], "ab".repeat(32));
        let json = serde_json::to_string(&values).unwrap();
        assert_eq!(PcrValues::parse(&json).unwrap(), values);
        for wrong in ["", "sha256", "sha3:\n 0 : 0x00", "sha256:\n 0 0x00", "sha256:\n x : 0x00"] {
            assert!(PcrValues::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_pcr_values_is_said_with_its_line() {
        use InvalidPcrs as E;
        for (text, reason) in [
            ("", E::Bank),
            ("sha256", E::Bank),
            ("sha3:\n 0 : 0x00", E::Bank),
            ("sha256:\n 0 : 0x00\n 1 0x00", E::Line { line: 3 }),
            ("sha256:\n x : 0x00", E::Line { line: 2 }),
            ("sha256:\n 256 : 0x00", E::Line { line: 2 }),
            ("{\n}", E::Json { line: 2 }),
        ] {
            assert_eq!(text.parse::<PcrValues>(), Err(reason), "{text:?}");
        }
    }

    #[test]
    fn values_are_overlaid_register_by_register() {
        let of = |bank, pairs: &[(u8, &str)]| PcrValues {
            bank,
            values: pairs.iter().map(|(index, value)| (*index, (*value).to_owned())).collect(),
        };
        let present = of(PcrBank::Sha256, &[(0, "aa"), (7, "bb")]);
        let coming = of(PcrBank::Sha256, &[(7, "cc")]);
        let both = of(PcrBank::Sha256, &[(0, "aa"), (7, "cc")]);
        assert_eq!(present.overlaid(&coming), Some(both));
        assert_eq!(present.overlaid(&of(PcrBank::Sha256, &[(1, "cc")])), None);
        assert_eq!(present.overlaid(&of(PcrBank::Sha1, &[(7, "cc")])), None);
    }
}
