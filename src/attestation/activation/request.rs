//! The question that only one TPM can read.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::read;
use crate::attestation::AttestationError;
use crate::attestation::bytes::{Der, Name};
use crate::attestation::tpm::credential::Credential;

const FORMAT: &str = "icn-attestation-activation/v1";

/// `TPMS_ID_OBJECT` and `TPMS_ECC_POINT` as they are made here: no other length is read.
const BLOB: usize = 2 + 32 + 2 + 32;
const POINT: usize = 2 * (2 + 32);

/// What is sent to the node, for its TPM to read. No secret: another TPM cannot.
#[derive(Clone, PartialEq, Eq)]
pub struct ActivationRequest {
    ak_name: Name,
    blob: Vec<u8>,
    encrypted: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Form {
    format: String,
    ak_name: Der,
    credential_blob: Der,
    encrypted_secret: Der,
}

impl ActivationRequest {
    pub(super) fn new(ak_name: Name, credential: Credential) -> Self {
        let Credential { blob, encrypted } = credential;
        Self { ak_name, blob, encrypted }
    }

    /// Reads one as [`Self::to_json`] writes it.
    ///
    /// # Errors
    ///
    /// [`AttestationError::TooLong`], [`AttestationError::Json`], [`AttestationError::Format`],
    /// [`AttestationError::Field`].
    pub fn parse(json: &[u8]) -> Result<Self, AttestationError> {
        let form: Form = read(json, FORMAT, "an activation")?;
        let field = |field| AttestationError::Field { field };
        let ak_name = form.ak_name.0.try_into().map_err(|_| field("akName"))?;
        let (blob, encrypted) = (form.credential_blob.0, form.encrypted_secret.0);
        if blob.len() != BLOB {
            return Err(field("credentialBlob"));
        }
        if encrypted.len() != POINT {
            return Err(field("encryptedSecret"));
        }
        Ok(Self { ak_name, blob, encrypted })
    }

    /// The file that is sent: one JSON object in one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let form = Form {
            format: FORMAT.to_owned(),
            ak_name: Der(self.ak_name.to_vec()),
            credential_blob: Der(self.blob.clone()),
            encrypted_secret: Der(self.encrypted.clone()),
        };
        // Strings: nothing here can fail.
        serde_json::to_string(&form).unwrap_or_default()
    }

    /// The Name of the attestation key that it is for: the number of SHA-256 (`000b`), and the
    /// SHA-256 of its public part.
    #[must_use]
    pub const fn ak_name(&self) -> &[u8; 34] {
        &self.ak_name
    }

    /// The first argument of `TPM2_ActivateCredential`: the content of a `TPM2B_ID_OBJECT`, 68 bytes.
    #[must_use]
    pub fn credential_blob(&self) -> &[u8] {
        &self.blob
    }

    /// The second: the content of a `TPM2B_ENCRYPTED_SECRET`, 68 bytes.
    #[must_use]
    pub fn encrypted_secret(&self) -> &[u8] {
        &self.encrypted
    }
}

impl fmt::Debug for ActivationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivationRequest").finish_non_exhaustive()
    }
}
