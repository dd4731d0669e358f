//! The JSON inside a backup.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::header::{Header, Storage};
use super::super::payload::Payload;
use crate::backend::BackendKind;
use crate::clock;
use crate::did::Did;
use crate::encoding::{base64, hex, objects};
use crate::error::{BackupError, FormatError};
use crate::rotation::RotationChain;

const FORMAT: &str = "icn-identity-backup";
const VERSION: u64 = 1;

/// The outermost object. `contents` is signed as the bytes that it is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope<'a> {
    format: String,
    version: u64,
    #[serde(with = "base64")]
    pub(super) signature: [u8; 64],
    #[serde(borrow)]
    pub(super) contents: &'a RawValue,
}

impl<'a> Envelope<'a> {
    pub(super) fn new(signature: [u8; 64], contents: &'a RawValue) -> Self {
        Self { format: FORMAT.into(), version: VERSION, signature, contents }
    }

    pub(super) fn parse(json: &'a [u8]) -> Result<Self, BackupError> {
        #[derive(Deserialize)]
        struct Version {
            format: String,
            version: u64,
        }
        let version: Version = objects::from_slice(json).map_err(|error| position(&error))?;
        if version.format != FORMAT {
            let reason = "it is of another format";
            return Err(BackupError::NotABackup { reason, source: None });
        }
        if version.version != VERSION {
            let found = version.version;
            let newer = FormatError::Newer { what: "the backup", found, known: VERSION };
            let (reason, source) = ("it is of another version", Some(newer.into()));
            return Err(BackupError::NotABackup { reason, source });
        }
        objects::from_slice(json).map_err(|error| position(&error))
    }
}

/// What is signed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents<'a> {
    pub(super) did: Did,
    pub(super) created: String,
    pub(super) contains: Vec<String>,
    pub(super) does_not_contain: Vec<String>,
    #[serde(borrow)]
    pub(super) header: &'a RawValue,
    #[serde(borrow)]
    pub(super) payload: &'a RawValue,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) config: Option<String>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) tpm_approvals: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) handed_over: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) given_up: Vec<Did>,
}

impl<'a> Contents<'a> {
    pub(super) fn parse(json: &'a RawValue) -> Result<Self, BackupError> {
        objects::from_str(json.get()).map_err(|error| position(&error))
    }

    /// The time, written by us: what else could be in that string does not get
    /// any further.
    pub(super) fn when(&self) -> Result<String, BackupError> {
        clock::rewritten(&self.created).ok_or(BackupError::NotABackup {
            reason: "its `created` is no time of RFC 3339",
            source: None,
        })
    }
}

/// Where the JSON goes wrong; what it says may be a secret.
fn position(error: &serde_json::Error) -> BackupError {
    let at = format!("line {}, column {}", error.line(), error.column());
    BackupError::NotABackup { reason: "it is not the JSON of one", source: Some(at.into()) }
}

/// What a person should know of it without this program.
pub(super) struct Words {
    pub(super) contains: Vec<String>,
    pub(super) does_not_contain: Vec<String>,
}

/// What is in a backup beside the header.
pub(super) struct Parts<'a> {
    pub(super) payload: &'a Payload,
    pub(super) config: bool,
    pub(super) approvals: bool,
    pub(super) handed_over: Option<&'a RotationChain>,
    pub(super) given_up: &'a [Did],
}

impl Words {
    pub(super) fn of(header: &Header, parts: &Parts<'_>) -> Self {
        let &Parts { payload, config, approvals, handed_over, given_up } = parts;
        let did = header.did();
        let mut contains = Vec::new();
        let mut does_not_contain = Vec::new();
        match place(header) {
            None => contains.push(format!(
                "the private key of {did}: whoever opens this backup can sign as this DID"
            )),
            Some(place) => {
                let copies = match header.in_file_until() {
                    None if header.tpm().is_some() => String::new(),
                    None => ", and only there".to_owned(),
                    Some(until) => format!(
                        ", and it was in a file until {}: copies of it may exist",
                        clock::rfc3339(until).unwrap_or_else(|| format!("Unix time {until}"))
                    ),
                };
                match header.tpm() {
                    // Its public half alone says nothing, and the private one is encrypted.
                    Some(_) => contains.push(format!(
                        "the private key of {did}, as it is sealed to {place} (in identity.json): \
                         useless without that very TPM, where alone this backup restores the DID{copies}"
                    )),
                    None => does_not_contain.push(format!(
                        "the private key of {did}: it is in {place}{copies}. Without that very \
                         device this backup does not restore the DID"
                    )),
                }
            }
        }
        contains.push(
            "the X25519 key (opens what was encrypted to this identity), the TLS key and \
             certificate, and the binding of both to the DID"
                .into(),
        );
        contains.push(
            "the public header (identity.json), and in the payload the rotation chain, the DID \
             document, and what older versions left there"
                .into(),
        );
        for key in payload.retired_keys().as_slice() {
            let old = key.did();
            contains.push(format!(
                "the retired decryption key of {old}, which has handed over to this identity \
                 (opens what was encrypted to {old})"
            ));
        }
        for old in payload.dids_without_key() {
            does_not_contain.push(format!(
                "the decryption key of {old}, which has handed over to this identity: what was \
                 encrypted to {old} opens only with that identity, or a backup of it"
            ));
        }
        if let Some(chain) = handed_over {
            let to = chain.current();
            let since = match given_up.contains(to) {
                true => ", and that this one was given up since (given-up.json)",
                false => "",
            };
            contains.push(format!(
                "the note that it has handed over to {to} (handed-over.json){since}: restored, it \
                 does not hand over to another"
            ));
        }
        if config {
            contains.push(
                "the tables [identity] and [audit] of icn.toml: the backend and its pins, and where the \
                 audit log is"
                    .into(),
            );
        }
        if approvals {
            contains.push("approvals of PCR values (tpm-approvals.json)".into());
        }
        let credentials = match header.backend() {
            BackendKind::Age => "the passphrase of identity.age: a new one is asked for",
            _ if matches!(header.storage(), Storage::Passphrase {}) => {
                "the PIN of the device, which is needed again, and the passphrase of identity.age: \
                 a new one is asked for"
            }
            _ => "the PIN of the device: it is needed again",
        };
        does_not_contain.push(credentials.into());
        does_not_contain.push(
            "the other tables of icn.toml ([daemon] too: its clients are users of this machine), the \
             audit log itself, and files that icn.toml names"
                .into(),
        );
        Self { contains, does_not_contain }
    }
}

/// The device that has the key, if one has it.
pub(super) fn place(header: &Header) -> Option<String> {
    match (header.locator(), header.tpm()) {
        (Some(locator), _) => Some(format!("token {} (serial {})", locator.token, locator.serial)),
        (None, Some(object)) => {
            let name = hex::encode(&object.parent.name);
            let short = name.get(..16).unwrap_or(&name);
            Some(format!("the TPM whose storage key is {short}…"))
        }
        (None, None) => None,
    }
}
