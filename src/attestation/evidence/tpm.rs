//! What a node's TPM gave for a key: its bytes, untouched.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};

use crate::attestation::bytes::{Der, hash_field, number};
use crate::attestation::{AttestationError, DeviceCertificates, Endorsement};
use crate::encoding::objects;

/// What a TPM gave of an identity's key, and who vouches for the TPM: nothing is verified.
///
/// The statement is one of `TPM2_Certify`, with [qualifying
/// data](crate::attestation::Attestation::create_tpm) that binds it to one answer.
#[derive(Clone, PartialEq, Eq)]
pub struct TpmEvidence(pub(in crate::attestation) Parts);

/// As it stands in a file, under the names of WebAuthn and the TCG.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::attestation) struct Parts {
    pub(in crate::attestation) pub_area: Der,
    pub(in crate::attestation) cert_info: Der,
    pub(in crate::attestation) sig: Der,
    pub(in crate::attestation) ak: Der,
    /// Absent where it is the attestation key that has a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::attestation) ek: Option<Der>,
    pub(in crate::attestation) x5c: Vec<Der>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::attestation::endorsement"
    )]
    pub(in crate::attestation) endorsement: Option<Endorsement>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "Quote::read")]
    pub(in crate::attestation) quote: Option<Quote>,
}

/// What the TPM states of its registers, under the names of `TPM2_Quote`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::attestation) struct Quote {
    pub(in crate::attestation) quoted: Der,
    pub(in crate::attestation) sig: Der,
}

impl Quote {
    /// In a file that carries one: an object, and nothing else that serde takes for a structure.
    fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Self>, D::Error> {
        objects::tagged(from).map(Some)
    }
}

impl TpmEvidence {
    /// Of what the TPM gave: the public parts of the identity's key and the attestation key
    /// (`TPMT_PUBLIC`, without a size in front), the statement (`TPMS_ATTEST`) and its signature
    /// (`TPMT_SIGNATURE`); the public part of the endorsement key, and the certificate of that key,
    /// then its issuers' as far as they are known. Without an endorsement key the certificates
    /// are those of the attestation key.
    ///
    /// # Errors
    ///
    /// [`AttestationError::NoCertificate`], [`AttestationError::TooManyCertificates`],
    /// [`AttestationError::Certificate`].
    pub fn new(
        pub_area: Vec<u8>,
        cert_info: Vec<u8>,
        sig: Vec<u8>,
        ak: Vec<u8>,
        ek: Option<Vec<u8>>,
        x5c: Vec<Vec<u8>>,
    ) -> Result<Self, AttestationError> {
        let x5c = DeviceCertificates::new(x5c)?.0.into_iter().map(Der).collect();
        let [pub_area, cert_info, sig, ak] = [pub_area, cert_info, sig, ak].map(Der);
        let ek = ek.map(Der);
        Ok(Self(Parts { pub_area, cert_info, sig, ak, ek, x5c, endorsement: None, quote: None }))
    }

    /// With what the TPM states of its PCRs, by the same attestation key, with the same qualifying
    /// data and without a boot in between: the statement (`TPMS_ATTEST` of `TPM2_Quote`) and its
    /// signature (`TPMT_SIGNATURE`).
    #[must_use]
    pub fn with_quote(mut self, quoted: Vec<u8>, sig: Vec<u8>) -> Self {
        self.0.quote = Some(Quote { quoted: Der(quoted), sig: Der(sig) });
        self
    }

    /// With the word of somebody who has [activated](crate::attestation::Activation) this attestation key.
    #[must_use]
    pub fn with_endorsement(mut self, endorsement: Endorsement) -> Self {
        self.0.endorsement = Some(endorsement);
        self
    }
}

impl fmt::Debug for TpmEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TpmEvidence")
            .field("certificates", &self.0.x5c.len())
            .field("endorsement", &self.0.endorsement)
            .field("quote", &self.0.quote)
            .finish_non_exhaustive()
    }
}

impl Parts {
    pub(in crate::attestation) const fn endorsement(&self) -> Option<&Endorsement> {
        self.endorsement.as_ref()
    }

    /// For what the DID's key signs: each field preceded by its length, an optional one by 0 or 1.
    pub(in crate::attestation) fn hash(&self, hash: &mut Sha256) {
        for field in [&self.pub_area, &self.cert_info, &self.sig, &self.ak] {
            hash_field(hash, &field.0);
        }
        hash.update([u8::from(self.ek.is_some())]);
        self.ek.iter().for_each(|ek| hash_field(hash, &ek.0));
        hash.update(number(self.x5c.len()));
        self.x5c.iter().for_each(|der| hash_field(hash, &der.0));
        hash.update([u8::from(self.endorsement.is_some())]);
        if let Some(endorsement) = &self.endorsement {
            hash_field(hash, &endorsement.signed_bytes());
            hash.update(endorsement.signature());
        }
        hash.update([u8::from(self.quote.is_some())]);
        if let Some(Quote { quoted, sig }) = &self.quote {
            hash_field(hash, &quoted.0);
            hash_field(hash, &sig.0);
        }
    }
}

#[cfg(test)]
impl Parts {
    pub(in crate::attestation) fn with_pub_area(mut self, bytes: Vec<u8>) -> Self {
        self.pub_area = Der(bytes);
        self
    }

    pub(in crate::attestation) fn with_ak_certificate(mut self, der: Vec<u8>) -> Self {
        (self.ek, self.x5c) = (None, vec![Der(der)]);
        self
    }

    pub(in crate::attestation) fn field_for_tests(&mut self, field: usize) -> &mut Vec<u8> {
        let fields = [&mut self.pub_area, &mut self.cert_info, &mut self.sig, &mut self.ak];
        match fields.into_iter().nth(field) {
            Some(field) => &mut field.0,
            None if field == 4 => &mut self.ek.as_mut().unwrap().0,
            None if field == 5 => &mut self.x5c[0].0,
            None if field == 6 => &mut self.quote.as_mut().unwrap().quoted.0,
            None => &mut self.quote.as_mut().unwrap().sig.0,
        }
    }
}
