//! The file of an attestation, which proves nothing until it is verified.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::bytes::Der;
use super::challenge::{check_audience, check_format};
use super::evidence::Evidence;
use super::tpm::read_quote;
use super::{
    AttestationError, AttestationRefusal, DeviceCertificates, EvidenceKind, MAX_CERTIFICATES,
    MAX_FILE_LEN, PcrState,
};
use crate::did::Did;
use crate::encoding::objects;

const FORMAT: &str = "icn-attestation/v1";
const WHAT: &str = "an attestation";

/// What a node shows of its key: read, and nothing believed.
///
/// [`Verifier::verify`](super::Verifier::verify) makes an [`Attested`](super::Attested) of it.
/// It holds the serial number of the device, so it is shown to whom it is for, and stands in no
/// certificate and no DID document.
#[derive(Clone, PartialEq, Eq)]
pub struct Attestation {
    pub(super) did: Did,
    pub(super) audience: String,
    pub(super) nonce: [u8; 32],
    pub(super) created: u64,
    pub(super) evidence: Evidence,
    pub(super) signature: [u8; 64],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    format: String,
    did: Did,
    audience: String,
    nonce: Der,
    created: u64,
    #[serde(deserialize_with = "objects::tagged")]
    evidence: Evidence,
    signature: Der,
}

impl Attestation {
    /// Reads a file as [`Self::to_json`] writes it: one JSON object of at most
    /// [`MAX_FILE_LEN`](super::MAX_FILE_LEN) bytes, without a field that is not known here.
    ///
    /// # Errors
    ///
    /// [`AttestationError::TooLong`], [`AttestationError::Json`], [`AttestationError::Format`],
    /// [`AttestationError::Field`], [`AttestationError::Audience`],
    /// [`AttestationError::TooManyCertificates`], [`AttestationError::NoCertificate`].
    pub fn parse(json: &[u8]) -> Result<Self, AttestationError> {
        if json.len() > MAX_FILE_LEN {
            return Err(AttestationError::TooLong { limit: MAX_FILE_LEN });
        }
        check_format(json, FORMAT, WHAT)?;
        let form: Form = objects::from_slice(json).map_err(AttestationError::json(WHAT))?;
        check_audience(&form.audience)?;
        match form.evidence.certificates().len() {
            0 => return Err(AttestationError::NoCertificate),
            count if count > MAX_CERTIFICATES => {
                return Err(AttestationError::TooManyCertificates { count });
            }
            _ => {}
        }
        let field = |field| move |_| AttestationError::Field { field };
        Ok(Self {
            did: form.did,
            audience: form.audience,
            nonce: form.nonce.0.try_into().map_err(field("nonce"))?,
            created: form.created,
            evidence: form.evidence,
            signature: form.signature.0.try_into().map_err(field("signature"))?,
        })
    }

    /// What a TPM states of its PCRs, **not verified**: `None` if there is no such statement, and a
    /// refusal if it cannot be read. [`Attested::pcrs`](super::Attested::pcrs) is what was verified.
    #[must_use]
    pub fn unverified_pcrs(&self) -> Option<Result<PcrState, AttestationRefusal>> {
        match &self.evidence {
            Evidence::Tpm2Certify(parts) => {
                parts.quote.as_ref().map(|quote| Ok(read_quote(quote)?))
            }
            Evidence::Yubico { .. } => None,
        }
    }

    /// Who vouches for a TPM's attestation key, **not verified**; `None` if nobody does.
    #[must_use]
    pub const fn unverified_endorser(&self) -> Option<&Did> {
        match &self.evidence {
            Evidence::Tpm2Certify(parts) => match parts.endorsement() {
                Some(endorsement) => Some(endorsement.endorser()),
                None => None,
            },
            Evidence::Yubico { .. } => None,
        }
    }

    /// The file: one JSON object in one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let form = Form {
            format: FORMAT.to_owned(),
            did: self.did.clone(),
            audience: self.audience.clone(),
            nonce: Der(self.nonce.to_vec()),
            created: self.created,
            evidence: self.evidence.clone(),
            signature: Der(self.signature.to_vec()),
        };
        // Strings and a number: nothing here can fail.
        serde_json::to_string(&form).unwrap_or_default()
    }

    /// The DID that it claims to be of.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// What sort of evidence it carries.
    #[must_use]
    pub const fn kind(&self) -> EvidenceKind {
        self.evidence.kind()
    }

    /// Whom it claims to be for.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The nonce that it answers.
    #[must_use]
    pub const fn nonce(&self) -> &[u8; 32] {
        &self.nonce
    }

    /// When it was made, by the clock of who made it, in Unix seconds.
    #[must_use]
    pub const fn created_unix(&self) -> u64 {
        self.created
    }

    /// The certificates that it carries, not verified; also such as cannot be read.
    #[must_use]
    pub fn certificates(&self) -> DeviceCertificates {
        DeviceCertificates(self.evidence.certificates().iter().map(|der| der.0.clone()).collect())
    }
}

impl fmt::Debug for Attestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attestation")
            .field("did", &self.did)
            .field("audience", &self.audience)
            .field("created", &self.created)
            .field("evidence", &self.evidence)
            .finish_non_exhaustive()
    }
}
