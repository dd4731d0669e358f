//! An answer to a challenge, by whoever has the key.

use std::time::SystemTime;

use super::bytes::Der;
use super::certificate::Certificate;
use super::evidence::Evidence;
use super::signing::qualifying_data;
use super::tpm::check_statement;
use super::{
    Attestation, AttestationError, AttestationRefusal, Challenge, DeviceCertificates, TpmEvidence,
    TpmField, TpmRefusal,
};
use crate::algorithm::{AlgorithmId, VerifyingKey};
use crate::clock;
use crate::did::Did;
use crate::signer::{DidSigner, sign_statement};

impl Attestation {
    /// **Blocks** while a device signs. Answers a challenge: with the certificates that the
    /// device gave for this very key, and one signature of it. Nothing is given out that does
    /// not verify under the DID.
    ///
    /// Whether the certificates lead to a maker's root is for the relying party to say: ask
    /// [`Verifier::examine`](super::Verifier::examine) before.
    ///
    /// # Errors
    ///
    /// [`AttestationError::Clock`] if the clock is not set, [`AttestationError::Refused`] if the
    /// challenge has ended, the certificate is that of another key, or the signer signed
    /// wrongly, [`AttestationError::Sign`].
    pub fn create<S: DidSigner + ?Sized>(
        signer: &S,
        challenge: &Challenge,
        certificates: DeviceCertificates,
        at: SystemTime,
    ) -> Result<Self, AttestationError> {
        Self::check(signer.did(), challenge, &certificates, at)?;
        let created = clock::unix(at);
        let x5c = certificates.0.into_iter().map(Der).collect();
        let mut attestation = Self {
            did: signer.did().clone(),
            audience: challenge.audience.clone(),
            nonce: challenge.nonce,
            created,
            evidence: Evidence::Yubico { x5c },
            signature: [0; 64],
        };
        let signature = sign_statement(signer, &attestation.signed_bytes())?;
        attestation.signature = *signature.as_bytes();
        attestation.check_signature().map_err(|source| AttestationRefusal::Possession {
            did: attestation.did.clone(),
            source,
        })?;
        Ok(attestation)
    }

    /// **Blocks** while devices sign. Answers a challenge with what a TPM states of this very key:
    /// `state` is given the qualifying data for `TPM2_Certify`, the 32 bytes SHA-256(core), and asks
    /// the TPM. Then `open` gives the DID's key, which signs once: a TPM may have no room for an open
    /// key beside what states. Nothing is given out that does not verify under the
    /// attestation key and the DID.
    ///
    /// Whether the certificates lead to a maker's root is for the relying party to say.
    ///
    /// # Errors
    ///
    /// Those of [`Self::check_tpm`] and of `state`; [`AttestationError::Refused`] if what the TPM
    /// stated does not verify, is of another key, or the signer signed wrongly;
    /// [`AttestationError::Sign`].
    pub fn create_tpm<S: DidSigner, E: From<AttestationError>>(
        did: &Did,
        challenge: &Challenge,
        at: SystemTime,
        state: impl FnOnce(&[u8; 32]) -> Result<TpmEvidence, E>,
        open: impl FnOnce() -> Result<S, E>,
    ) -> Result<Self, E> {
        Self::check_tpm(did, challenge, at)?;
        let (did, created) = (did.clone(), clock::unix(at));
        let (audience, nonce) = (challenge.audience.clone(), challenge.nonce);
        let evidence = state(&qualifying_data(&did, &audience, &nonce, created))?;
        let evidence = Evidence::Tpm2Certify(Box::new(evidence.0));
        let made = Self { did, audience, nonce, created, evidence, signature: [0; 64] };
        Ok(made.signed_by_tpm_key(&open()?)?)
    }

    fn signed_by_tpm_key<S: DidSigner + ?Sized>(
        mut self,
        signer: &S,
    ) -> Result<Self, AttestationError> {
        if let Evidence::Tpm2Certify(parts) = &self.evidence {
            let statement = check_statement(parts, &self.qualifying_data());
            if statement.map_err(AttestationRefusal::from)?.key != *self.did.verifying_key() {
                return Err(AttestationRefusal::OtherKey { did: self.did }.into());
            }
        }
        let signature = sign_statement(signer, &self.signed_bytes())?;
        self.signature = *signature.as_bytes();
        let did = self.did.clone();
        self.check_signature().map_err(|source| AttestationRefusal::Possession { did, source })?;
        Ok(self)
    }

    /// Whether [`Self::create_tpm`] would ask the TPM, as far as can be said without it: before
    /// anybody is asked for a PIN.
    ///
    /// # Errors
    ///
    /// [`AttestationError::Clock`] if the clock is not set; [`AttestationError::Refused`] if the
    /// challenge has ended, or the DID's key is not on P-256: a TPM has other keys as sealed data
    /// alone, and does not vouch for what is in that.
    pub fn check_tpm(
        did: &Did,
        challenge: &Challenge,
        at: SystemTime,
    ) -> Result<(), AttestationError> {
        check_challenge(challenge, at)?;
        if did.verifying_key().algorithm() != AlgorithmId::P256 {
            let refusal = TpmRefusal::SealedData { field: TpmField::PubArea };
            return Err(AttestationRefusal::from(refusal).into());
        }
        Ok(())
    }

    /// Whether [`Self::create`] would sign this, as far as can be said without the key: before
    /// anybody is asked for a PIN.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn check(
        did: &Did,
        challenge: &Challenge,
        certificates: &DeviceCertificates,
        at: SystemTime,
    ) -> Result<(), AttestationError> {
        check_challenge(challenge, at)?;
        let [leaf, ..] = certificates.0.as_slice() else {
            return Err(AttestationError::NoCertificate);
        };
        let leaf = Certificate::read(leaf, 0).map_err(AttestationError::certificate)?;
        if VerifyingKey::from_spki_der(leaf.spki()).ok().as_ref() != Some(did.verifying_key()) {
            return Err(AttestationRefusal::OtherKey { did: did.clone() }.into());
        }
        Ok(())
    }
}

/// That it can be answered now.
fn check_challenge(challenge: &Challenge, at: SystemTime) -> Result<(), AttestationError> {
    clock::check(at).map_err(|unix| AttestationError::Clock { unix })?;
    let now = clock::unix(at);
    if now > challenge.expires {
        let ago = now - challenge.expires;
        return Err(AttestationRefusal::ChallengeExpired { ago }.into());
    }
    Ok(())
}
