//! An answer to a challenge, by whoever has the key.

use std::time::SystemTime;

use super::certificate::Certificate;
use super::evidence::{Der, Evidence};
use super::{Attestation, AttestationError, AttestationRefusal, Challenge, DeviceCertificates};
use crate::algorithm::VerifyingKey;
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
        clock::check(at).map_err(|unix| AttestationError::Clock { unix })?;
        let now = clock::unix(at);
        if now > challenge.expires {
            let ago = now - challenge.expires;
            return Err(AttestationRefusal::ChallengeExpired { ago }.into());
        }
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
