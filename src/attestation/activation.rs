//! The one proof that an attestation key is in the TPM with a certain endorsement key: only that
//! TPM reads what is encrypted for both.

mod request;

use std::fmt;
use std::time::SystemTime;

use serde::Deserialize;
use zeroize::Zeroizing;

pub use self::request::ActivationRequest;
use super::bytes::{Der, Name};
use super::challenge::check_format;
use super::tpm::{Checked, credential::Credential, secret::Secret};
use super::{
    Attestation, AttestationError, AttestationRefusal, Attested, Endorsement, MAX_ENDORSEMENT,
    MAX_FILE_LEN, PcrState, Root, TpmRefusal as Refusal, Verdict,
};
use crate::clock;
use crate::encoding::{base64, objects};
use crate::secret::fill_random;
use crate::signer::{DidSigner, sign_statement};

const SECRET: &str = "icn-attestation-secret/v1";
const ANSWER: &str = "icn-attestation-answer/v1";

/// A secret that one TPM alone can tell, and for which attestation it was made. It is used once:
/// [`Verifier::finish`](crate::attestation::Verifier::finish) takes it.
///
/// Not `Clone`, wiped, and never shown.
pub struct Activation {
    secret: Secret,
    /// Of the attestation.
    attestation: [u8; 32],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretForm {
    #[serde(rename = "format")]
    _format: String,
    attestation: Der,
    secret: Secret,
}

impl Activation {
    /// For an attestation whose evidence was verified, but for this.
    pub(in crate::attestation) fn begin(
        attestation: &Attestation,
        checked: &Checked,
    ) -> Result<(Self, ActivationRequest), AttestationError> {
        let Some(ek) = &checked.ek else {
            return Err(AttestationRefusal::from(Refusal::NothingToActivate).into());
        };
        let mut bytes = Zeroizing::new([0; 32]);
        fill_random(bytes.as_mut_slice())?;
        let secret = Secret::new(bytes);
        let credential = Credential::make(ek, &checked.ak_name, secret.expose())?;
        let request = ActivationRequest::new(checked.ak_name, credential);
        Ok((Self { secret, attestation: attestation.sha256() }, request))
    }

    /// Reads what [`Self::to_secret_json`] wrote. **Used once**: whoever keeps the file has to remove
    /// it once an answer was accepted.
    ///
    /// # Errors
    ///
    /// [`AttestationError::TooLong`], [`AttestationError::Json`], [`AttestationError::Format`],
    /// [`AttestationError::Field`].
    pub fn from_secret_json(json: &[u8]) -> Result<Self, AttestationError> {
        let form: SecretForm = read(json, SECRET, "the secret of an activation")?;
        let attestation = form.attestation.0.try_into();
        let attestation =
            attestation.map_err(|_| AttestationError::Field { field: "attestation" })?;
        Ok(Self { secret: form.secret, attestation })
    }

    /// The file that is kept, and that nobody else may read: one JSON object in one line.
    #[must_use]
    pub fn to_secret_json(&self) -> Zeroizing<String> {
        let attestation = base64::encode_url(&self.attestation);
        let before = format!(r#"{{"format":"{SECRET}","attestation":"{attestation}""#);
        secret_json(&before, &self.secret)
    }

    /// That it was made for this very attestation, and not for another one: before it is used up.
    ///
    /// # Errors
    ///
    /// [`TpmRefusal::OtherActivation`](Refusal::OtherActivation).
    pub fn check_attestation(&self, attestation: &Attestation) -> Result<(), AttestationRefusal> {
        match self.attestation == attestation.sha256() {
            true => Ok(()),
            false => Err(Refusal::OtherActivation.into()),
        }
    }

    /// That this very attestation was activated: the answer is the secret.
    pub(in crate::attestation) fn check(
        self,
        attestation: &Attestation,
        answer: &ActivationAnswer,
    ) -> Result<(), AttestationRefusal> {
        self.check_attestation(attestation)?;
        if self.secret.is(&answer.0) { Ok(()) } else { Err(Refusal::Answer.into()) }
    }
}

impl fmt::Debug for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activation").finish_non_exhaustive()
    }
}

/// What the TPM read, sent back. Wiped, and never shown.
pub struct ActivationAnswer(Secret);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerForm {
    #[serde(rename = "format")]
    _format: String,
    secret: Secret,
}

impl ActivationAnswer {
    /// Of what `TPM2_ActivateCredential` gave.
    #[must_use]
    pub const fn new(secret: Zeroizing<[u8; 32]>) -> Self {
        Self(Secret::new(secret))
    }

    /// Reads one as [`Self::to_json`] writes it.
    ///
    /// # Errors
    ///
    /// [`AttestationError::TooLong`], [`AttestationError::Json`], [`AttestationError::Format`].
    pub fn parse(json: &[u8]) -> Result<Self, AttestationError> {
        let form: AnswerForm = read(json, ANSWER, "an answer to an activation")?;
        Ok(Self(form.secret))
    }

    /// The file that is sent: one JSON object in one line.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        secret_json(&format!(r#"{{"format":"{ANSWER}""#), &self.0)
    }
}

impl fmt::Debug for ActivationAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivationAnswer").finish_non_exhaustive()
    }
}

fn read<'a, T: Deserialize<'a>>(
    json: &'a [u8],
    format: &'static str,
    what: &'static str,
) -> Result<T, AttestationError> {
    if json.len() > MAX_FILE_LEN {
        return Err(AttestationError::TooLong { limit: MAX_FILE_LEN });
    }
    check_format(json, format, what)?;
    objects::from_slice(json).map_err(AttestationError::json(what))
}

/// Written at once into what is wiped.
fn secret_json(before: &str, secret: &Secret) -> Zeroizing<String> {
    let text = secret.to_text();
    let parts = [before, r#","secret":""#, text.as_str(), r#""}"#];
    let mut json = Zeroizing::new(String::with_capacity(parts.iter().map(|it| it.len()).sum()));
    parts.iter().for_each(|part| json.push_str(part));
    json
}

/// What stands once the TPM has told the secret: made by
/// [`Verifier::finish`](crate::attestation::Verifier::finish) alone.
#[derive(Debug, Clone)]
pub struct Activated {
    verdict: Verdict,
    ak_name: Name,
    certificate: [u8; 32],
}

impl Activated {
    /// For the verifier, which has demanded this state of the TPM.
    pub(in crate::attestation) fn new(
        attestation: &Attestation,
        checked: Checked,
        pcrs: Option<PcrState>,
    ) -> Self {
        let Checked { certified, ak_name, certificate, .. } = checked;
        let (did, at) = (attestation.did(), attestation.created_unix());
        let attested = Attested::new(did, certified, Root::Activated, at).with_pcrs(pcrs);
        Self { verdict: Verdict::Hardware(attested), ak_name, certificate }
    }

    /// What was proved of the key.
    #[must_use]
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// The same, kept.
    #[must_use]
    pub fn into_verdict(self) -> Verdict {
        self.verdict
    }

    /// **Blocks** while a device signs. States to others that this attestation key is in this TPM:
    /// they believe it by [`Verifier::endorsed_by`](crate::attestation::Verifier::endorsed_by).
    ///
    /// # Errors
    ///
    /// [`AttestationError::Clock`] if it would begin before this crate was made,
    /// [`AttestationError::ValidFor`] if it would end before it begins or be valid for longer than
    /// [`MAX_ENDORSEMENT`], [`AttestationError::Sign`], and [`AttestationError::Refused`] if
    /// the signer signed wrongly, or is the very key that was attested
    /// ([`TpmRefusal::OwnEndorsement`](Refusal::OwnEndorsement)).
    pub fn endorse<S: DidSigner + ?Sized>(
        &self,
        signer: &S,
        from: SystemTime,
        until: SystemTime,
    ) -> Result<Endorsement, AttestationError> {
        clock::check(from).map_err(|unix| AttestationError::Clock { unix })?;
        let (from, until) = (clock::unix(from), clock::unix(until));
        let limit = MAX_ENDORSEMENT.as_secs();
        let seconds = until.saturating_sub(from);
        if seconds == 0 || seconds > limit {
            return Err(AttestationError::ValidFor { seconds, limit });
        }
        if signer.did().verifying_key() == self.verdict.did().verifying_key() {
            let refusal = Refusal::OwnEndorsement { did: signer.did().clone() };
            return Err(AttestationRefusal::from(refusal).into());
        }
        let mut endorsement = Endorsement {
            endorser: signer.did().clone(),
            ak_name: self.ak_name,
            certificate: self.certificate,
            from,
            until,
            signature: [0; 64],
        };
        let signature = sign_statement(signer, &endorsement.signed_bytes())?;
        endorsement.signature = *signature.as_bytes();
        endorsement.check_signature().map_err(AttestationRefusal::from)?;
        Ok(endorsement)
    }
}
