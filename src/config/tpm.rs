//! `[identity.tpm]`: which TPM, and under which policy a new key is made.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::pkcs11::is_false;
use crate::encoding::objects::object_only;
use crate::encoding::{hex, named};
use crate::locator::{InvalidPcrs, PcrBank, index_of};

/// The kernel's resource manager of the first TPM.
const DEVICE: &str = "/dev/tpmrm0";
/// Secure boot's state and keys: changes seldom (TCG PC Client, section 3.3.4.8).
const DEFAULT_PCR: u8 = 7;
/// PCRs of a PC.
const PCR_COUNT: u8 = 24;

/// `[identity.tpm]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TpmConfig {
    /// The TPM: a device node (default `/dev/tpmrm0`), or
    /// `swtpm:host=ADDRESS,port=PORT` for swtpm.
    pub device_path: String,
    /// Persistent handle of the storage key that new keys are made under, like
    /// `0x81000001`; without one it is made anew each time from the owner's
    /// seed, which takes a while on most chips.
    #[serde(serialize_with = "write_handle", skip_serializing_if = "Option::is_none")]
    pub key_handle: Option<u32>,
    /// Name of that storage key, hex; pinned by `icnctl id init`.
    #[serde(serialize_with = "write_name", skip_serializing_if = "Option::is_none")]
    pub parent_name: Option<Vec<u8>>,
    /// Whether a key is bound to the values of PCRs (default true).
    pub platform_binding: bool,
    /// The bank of PCRs (default `sha256`).
    pub pcr_bank: PcrBank,
    /// Which PCRs: `"0,7"` or `[0, 7]` (default 7, the state of secure boot).
    pub pcr_indices: PcrIndices,
    /// Whether a new key has a PIN (default true). The PIN itself is never here.
    pub pin: bool,
    /// How PCR values are bound.
    pub policy: PcrPolicy,
    /// The approver's public key (PEM, P-256), for a new key with
    /// `policy = "authorized"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver: Option<PathBuf>,
    /// log2 of scrypt's work for the PIN of a new key (10 to 20, default 17:
    /// about half a second and 128 MiB).
    pub pin_work_factor: u8,
    /// Whether a PIN may be sent when one more wrong one locks the TPM.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_final_try: bool,
    /// Whether a PIN may be sent where no disk takes the note that it is tried, although
    /// the TPM has counted wrong ones (default false): a wrong one costs a try at each
    /// start then.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_unnoted_try: bool,
    /// Whether the TPM's maker is to prove where keys are (default false): commands that make or
    /// show an identity say whether this TPM can be attested. Refused where this crate was built
    /// without the feature `attestation`.
    #[serde(skip_serializing_if = "is_false")]
    pub attestation: bool,
}

/// As it is read.
#[derive(Deserialize)]
#[serde(remote = "TpmConfig", deny_unknown_fields, default = "TpmConfig::default")]
struct Fields {
    device_path: String,
    #[serde(deserialize_with = "handle")]
    key_handle: Option<u32>,
    #[serde(deserialize_with = "name")]
    parent_name: Option<Vec<u8>>,
    platform_binding: bool,
    pcr_bank: PcrBank,
    pcr_indices: PcrIndices,
    pin: bool,
    policy: PcrPolicy,
    approver: Option<PathBuf>,
    pin_work_factor: u8,
    allow_final_try: bool,
    allow_unnoted_try: bool,
    attestation: bool,
}

object_only!(TpmConfig as Fields);

impl Default for TpmConfig {
    fn default() -> Self {
        Self {
            device_path: DEVICE.into(),
            key_handle: None,
            parent_name: None,
            platform_binding: true,
            pcr_bank: PcrBank::default(),
            pcr_indices: PcrIndices::default(),
            pin: true,
            policy: PcrPolicy::default(),
            approver: None,
            pin_work_factor: 17,
            allow_final_try: false,
            allow_unnoted_try: false,
            attestation: false,
        }
    }
}

impl TpmConfig {
    /// A TPM, with everything else left to its default.
    #[must_use]
    pub fn new(device_path: impl Into<String>) -> Self {
        Self { device_path: device_path.into(), ..Self::default() }
    }

    /// Whether it says something that cannot be, or protects nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Tpm`].
    pub fn check(&self) -> Result<(), ConfigError> {
        match self.problem() {
            None => Ok(()),
            Some(problem) => Err(ConfigError::Tpm { problem }),
        }
    }

    pub(crate) fn problem(&self) -> Option<&'static str> {
        let no_pcr = self.pcr_indices.0.is_empty();
        let persistent = 0x8100_0000..=0x81ff_ffff;
        if self.attestation && cfg!(not(feature = "attestation")) {
            return Some("attestation = true: this program was built without attestation");
        }
        if self.platform_binding && no_pcr {
            return Some("platform_binding wants at least one PCR in pcr_indices");
        }
        if !self.platform_binding && self.policy == PcrPolicy::Authorized {
            return Some("policy = \"authorized\" approves PCR values: it wants platform_binding");
        }
        if !self.platform_binding && !self.pin {
            return Some(
                "neither platform_binding nor pin: every program on this machine could use the key",
            );
        }
        if self.key_handle.is_some_and(|handle| !persistent.contains(&handle)) {
            return Some("key_handle is not a persistent handle (0x81000000 to 0x81ffffff)");
        }
        if !(10..=20).contains(&self.pin_work_factor) {
            return Some("pin_work_factor is not between 10 and 20");
        }
        None
    }
}

/// How PCR values are bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PcrPolicy {
    /// To the very values at the time of `id init` or `id reseal`, and to those
    /// that `id reseal` was told to come.
    #[default]
    Literal,
    /// To the same, and to others that an approver signs.
    Authorized,
}

named! {
    /// The name used in `icn.toml`: `literal`, `authorized`.
    PcrPolicy, "a way to bind PCR values": Literal => "literal", Authorized => "authorized"
}

/// Indices of PCRs, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcrIndices(BTreeSet<u8>);

impl PcrIndices {
    /// These PCRs.
    ///
    /// # Errors
    ///
    /// [`InvalidPcrs::Index`] if one of them is above 23.
    pub fn new(indices: impl IntoIterator<Item = u8>) -> Result<Self, InvalidPcrs> {
        let checked = indices.into_iter().zip(1..).map(|(index, position)| {
            if index < PCR_COUNT { Ok(index) } else { Err(InvalidPcrs::Index { position }) }
        });
        checked.collect::<Result<_, _>>().map(Self)
    }

    /// The indices, in rising order.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().copied()
    }

    /// Reads `0,7`; blanks around the numbers are allowed. Also by [`str::parse`].
    ///
    /// # Errors
    ///
    /// [`InvalidPcrs::Index`] says which of them is not the index of a PCR.
    pub fn parse(text: &str) -> Result<Self, InvalidPcrs> {
        if text.trim().is_empty() {
            return Self::new([]);
        }
        let read = text
            .split(',')
            .zip(1..)
            .map(|(index, position)| index_of(index.trim()).ok_or(InvalidPcrs::Index { position }));
        Self::new(read.collect::<Result<Vec<u8>, _>>()?)
    }
}

impl Default for PcrIndices {
    fn default() -> Self {
        Self(BTreeSet::from([DEFAULT_PCR]))
    }
}

impl FromStr for PcrIndices {
    type Err = InvalidPcrs;
    fn from_str(text: &str) -> Result<Self, InvalidPcrs> {
        Self::parse(text)
    }
}

impl fmt::Display for PcrIndices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indices: Vec<String> = self.iter().map(|index| index.to_string()).collect();
        f.write_str(&indices.join(","))
    }
}

impl Serialize for PcrIndices {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PcrIndices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Indices;
        impl<'de> Visitor<'de> for Indices {
            type Value = PcrIndices;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("PCR indices (0 to 23), as \"0,7\" or [0, 7]")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<PcrIndices, E> {
                PcrIndices::parse(text).map_err(E::custom)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<PcrIndices, A::Error> {
                let mut indices = Vec::new();
                while let Some(index) = seq.next_element::<u8>()? {
                    indices.push(index);
                }
                PcrIndices::new(indices).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(Indices)
    }
}

/// A handle as a number or as text: `0x81000001`.
fn handle<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u32),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Number(number) => Ok(Some(number)),
        Written::Text(text) => {
            let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
            let handle = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
            handle.map(Some).ok_or_else(|| de::Error::custom("not a handle"))
        }
    }
}

/// As people write it.
fn write_handle<S: Serializer>(handle: &Option<u32>, serializer: S) -> Result<S::Ok, S::Error> {
    match handle {
        Some(handle) => serializer.serialize_str(&format!("{handle:#010x}")),
        None => serializer.serialize_none(),
    }
}

fn write_name<S: Serializer>(name: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    match name {
        Some(name) => hex::serialize(name, serializer),
        None => serializer.serialize_none(),
    }
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    hex::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn parse(text: &str) -> Result<TpmConfig, ConfigError> {
        let text = format!("[identity]\nbackend = \"tpm\"\n[identity.tpm]\n{text}\n");
        Ok(Config::parse(&text)?.identity.tpm.unwrap())
    }

    #[test]
    fn indices_are_read_from_text_and_from_a_list() {
        for text in ["\"0,7\"", "[0, 7]", "\"7, 0\"", "[7, 0, 7]"] {
            let config = parse(&format!("pcr_indices = {text}")).unwrap();
            assert_eq!(config.pcr_indices.to_string(), "0,7", "{text}");
        }
        assert_eq!(parse("").unwrap().pcr_indices.to_string(), "7");
        for text in ["\"24\"", "[24]", "\"a\"", "\"0,,7\"", "7", "[-1]", "\"0-7\""] {
            let error = parse(&format!("pcr_indices = {text}")).unwrap_err();
            assert!(error.to_string().contains("line 4"), "{text}: {error}");
        }
    }

    #[test]
    fn handles_are_numbers_or_text() {
        for text in ["0x81000001", "2164260865", "\"0x81000001\""] {
            let config = parse(&format!("key_handle = {text}")).unwrap();
            assert_eq!(config.key_handle, Some(0x8100_0001), "{text}");
        }
        assert!(parse("key_handle = \"81000001\"").is_err());
    }

    #[test]
    fn what_cannot_be_or_protects_nothing_is_refused_with_its_reason() {
        for (text, reason) in [
            ("pcr_indices = []", "at least one PCR"),
            ("pcr_indices = \"\"", "at least one PCR"),
            ("platform_binding = false\npolicy = \"authorized\"", "wants platform_binding"),
            ("platform_binding = false\npin = false", "every program"),
            ("key_handle = 1", "persistent handle"),
            ("pin_work_factor = 21", "between 10 and 20"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(reason), "{text}: {error}");
            assert!(error.help().is_some());
        }
        let config = parse("platform_binding = false\npcr_indices = []").unwrap();
        assert!(config.pin);
    }

    #[test]
    fn a_pin_in_the_file_is_refused_and_not_repeated() {
        for text in ["pin = \"98765432\"", "pin = 98765432", "pin_value = \"98765432\""] {
            let error = parse(text).unwrap_err();
            let shown = format!("{error} {error:?} {:?}", error.help());
            assert!(!shown.contains("98765432"), "{shown}");
        }
    }
}
