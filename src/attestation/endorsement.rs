//! The word of somebody who has activated an attestation key, for others who have not.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};

use super::bytes::{Der, Name};
use super::challenge::check_format;
use super::{AttestationError, AttestationRefusal, MAX_FILE_LEN, TpmRefusal as Refusal};
use crate::algorithm::Signature;
use crate::did::Did;
use crate::encoding::objects;
use crate::statement::{Purpose, Statement};

const FORMAT: &str = "icn-attestation-endorsement/v1";
const WHAT: &str = "an endorsement";

/// No endorsement is valid for longer: 366 days.
pub const MAX_ENDORSEMENT: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A DID states that an attestation key is in the TPM with a certain certificate: read, and nothing
/// believed. Made by [`Activated::endorse`](super::Activated::endorse) alone.
///
/// It is about the TPM and not about an identity: it stands when the identity's key is rotated, and
/// falls when the TPM gets another attestation key, as where its endorsement seed is changed. Signed
/// are `icn-identity/attestation-endorsement/v1` and a zero byte; the endorser's DID, preceded by its
/// length in bytes as a big-endian `u64`; the Name of the attestation key (34 bytes); the SHA-256 of
/// the endorsement key's certificate in DER; and the first and the last Unix second of its validity,
/// as big-endian `u64`.
#[derive(Clone, PartialEq, Eq)]
pub struct Endorsement {
    pub(super) endorser: Did,
    pub(super) ak_name: Name,
    pub(super) certificate: [u8; 32],
    pub(super) from: u64,
    pub(super) until: u64,
    pub(super) signature: [u8; 64],
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Form {
    format: String,
    endorser: Did,
    ak_name: Der,
    ek_certificate: Der,
    not_before: u64,
    not_after: u64,
    signature: Der,
}

impl TryFrom<Form> for Endorsement {
    type Error = AttestationError;

    fn try_from(form: Form) -> Result<Self, AttestationError> {
        if form.format != FORMAT {
            let found = form.format.chars().take(64).filter(|it| !it.is_control()).collect();
            return Err(AttestationError::Format { expected: FORMAT, found });
        }
        let field = |field| move |_| AttestationError::Field { field };
        Ok(Self {
            endorser: form.endorser,
            ak_name: form.ak_name.0.try_into().map_err(field("akName"))?,
            certificate: form.ek_certificate.0.try_into().map_err(field("ekCertificate"))?,
            from: form.not_before,
            until: form.not_after,
            signature: form.signature.0.try_into().map_err(field("signature"))?,
        })
    }
}

impl From<Endorsement> for Form {
    fn from(of: Endorsement) -> Self {
        Self {
            format: FORMAT.to_owned(),
            endorser: of.endorser,
            ak_name: Der(of.ak_name.to_vec()),
            ek_certificate: Der(of.certificate.to_vec()),
            not_before: of.from,
            not_after: of.until,
            signature: Der(of.signature.to_vec()),
        }
    }
}

/// In a file that carries one: an object, and nothing else that serde takes for a structure.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Endorsement>, D::Error> {
    let form: Form = objects::tagged(from)?;
    Endorsement::try_from(form).map(Some).map_err(D::Error::custom)
}

pub(super) fn serialize<S: Serializer>(
    endorsement: &Option<Endorsement>,
    to: S,
) -> Result<S::Ok, S::Error> {
    endorsement.clone().map(Form::from).serialize(to)
}

impl Endorsement {
    /// Reads one as [`Self::to_json`] writes it.
    ///
    /// # Errors
    ///
    /// [`AttestationError::TooLong`], [`AttestationError::Json`], [`AttestationError::Format`],
    /// [`AttestationError::Field`].
    pub fn parse(json: &[u8]) -> Result<Self, AttestationError> {
        if json.len() > MAX_FILE_LEN {
            return Err(AttestationError::TooLong { limit: MAX_FILE_LEN });
        }
        check_format(json, FORMAT, WHAT)?;
        let form: Form = objects::from_slice(json).map_err(AttestationError::json(WHAT))?;
        Self::try_from(form)
    }

    /// The file: one JSON object in one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings and numbers: nothing here can fail.
        serde_json::to_string(&Form::from(self.clone())).unwrap_or_default()
    }

    /// Who states it.
    #[must_use]
    pub const fn endorser(&self) -> &Did {
        &self.endorser
    }

    /// From when on, in Unix seconds.
    #[must_use]
    pub const fn from_unix(&self) -> u64 {
        self.from
    }

    /// Until when, in Unix seconds.
    #[must_use]
    pub const fn until_unix(&self) -> u64 {
        self.until
    }

    /// That it is about a TPM with this certificate of its endorsement key, in DER. Nothing is said
    /// of its attestation key, which only a statement shows.
    ///
    /// # Errors
    ///
    /// [`TpmRefusal::OtherEkCertificate`](Refusal::OtherEkCertificate).
    pub fn check_certificate(&self, der: &[u8]) -> Result<(), AttestationRefusal> {
        match self.certificate == *Sha256::digest(der) {
            true => Ok(()),
            false => Err(Refusal::OtherEkCertificate.into()),
        }
    }

    pub(super) fn signed_bytes(&self) -> Vec<u8> {
        Statement::new(Purpose::AttestationEndorsement)
            .field(self.endorser.as_str().as_bytes())
            .raw(&self.ak_name)
            .raw(&self.certificate)
            .number(self.from)
            .number(self.until)
            .into_bytes()
    }

    pub(super) const fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    pub(super) fn check_signature(&self) -> Result<(), Refusal> {
        let key = self.endorser.verifying_key();
        let signature = Signature::from_bytes(key.algorithm(), self.signature);
        key.verify_strict(&self.signed_bytes(), &signature).map_err(|source| {
            Refusal::EndorsementSignature { endorser: self.endorser.clone(), source }
        })
    }

    /// That somebody who is believed says so of this attestation key and this certificate, now.
    pub(in crate::attestation) fn check(
        &self,
        believed: &[Did],
        ak_name: &Name,
        certificate: &[u8; 32],
        at: u64,
    ) -> Result<(), Refusal> {
        if !believed.contains(&self.endorser) {
            return Err(Refusal::Endorser { endorser: self.endorser.clone() });
        }
        self.check_signature()?;
        if self.ak_name != *ak_name {
            return Err(Refusal::OtherEndorsement);
        }
        if self.certificate != *certificate {
            return Err(Refusal::OtherEkCertificate);
        }
        let (seconds, limit) = (self.until.saturating_sub(self.from), MAX_ENDORSEMENT.as_secs());
        if seconds > limit {
            return Err(Refusal::EndorsementTooLong { seconds, limit });
        }
        if at < self.from {
            return Err(Refusal::EndorsementNotYetValid { wait: self.from - at });
        }
        if at > self.until {
            return Err(Refusal::EndorsementExpired { ago: at - self.until });
        }
        Ok(())
    }
}

impl fmt::Debug for Endorsement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endorsement")
            .field("endorser", &self.endorser)
            .field("from", &self.from)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Endorsement {
    pub(in crate::attestation) fn signed_for_tests<S: crate::signer::DidSigner>(
        mut self,
        signer: &S,
    ) -> Self {
        let signature = crate::signer::sign_statement(signer, &self.signed_bytes()).unwrap();
        self.signature = *signature.as_bytes();
        self
    }

    pub(in crate::attestation) fn endorser_for_tests(&mut self, endorser: Did) {
        self.endorser = endorser;
    }

    pub(in crate::attestation) fn ak_name_for_tests(&mut self) -> &mut Name {
        &mut self.ak_name
    }

    pub(in crate::attestation) fn certificate_for_tests(&mut self) -> &mut [u8; 32] {
        &mut self.certificate
    }

    pub(in crate::attestation) fn set_for_tests(&mut self, from: u64, until: u64) {
        (self.from, self.until) = (from, until);
    }
}
