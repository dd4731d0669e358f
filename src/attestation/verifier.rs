//! What a relying party demands, and the one place where an attestation is believed.

use std::time::SystemTime;

use subtle::ConstantTimeEq as _;

use super::evidence::{Evidence, Parts};
use super::{
    Activated, Activation, ActivationAnswer, ActivationRequest, Anchors, Attestation,
    AttestationError, AttestationRefusal as Refusal, Attested, CertifiedKey, DeviceCertificates,
    DeviceClass, Firmware, Fresh, MAX_AGE, PcrState, Root, TpmModel, TpmRefusal, Verdict, tpm,
    yubico,
};
use crate::binding::CLOCK_SKEW;
use crate::clock;
use crate::did::Did;
use crate::evidence::ProvenanceKind;

/// Verifies attestations, offline: by the anchors that it is given, and what it is told to
/// demand besides.
///
/// By default a YubiHSM 2 has to have firmware 2.4.0, and a YubiKey 5.7.0
/// ([`DeviceClass::default_firmware`]), and no certificate may have ended.
///
/// [`Self::verify`] is enough for a YubiHSM 2, a YubiKey, and a TPM that somebody vouches for who is
/// believed ([`Self::endorsed_by`]). Else a TPM is asked a question: [`Self::begin`] makes it and
/// [`Self::finish`] compares the answer. It is no matter of the verifier whether a challenge is used twice:
/// whoever accepts an answer forgets the challenge.
#[derive(Debug, Clone)]
pub struct Verifier {
    anchors: Anchors,
    floors: Vec<(DeviceClass, Firmware)>,
    allows_expired: bool,
    endorsers: Vec<Did>,
    pcrs: Option<PcrState>,
}

impl Verifier {
    /// By these anchors.
    #[must_use]
    pub const fn new(anchors: Anchors) -> Self {
        Self {
            anchors,
            floors: Vec::new(),
            allows_expired: false,
            endorsers: Vec::new(),
            pcrs: None,
        }
    }

    /// Demands this firmware, or a later one, of devices of a class, in place of the default.
    #[must_use]
    pub fn firmware_at_least(mut self, class: DeviceClass, firmware: Firmware) -> Self {
        self.floors.retain(|(of, _)| *of != class);
        self.floors.push((class, firmware));
        self
    }

    /// Forgives that the certificate of the **key itself** has ended; the verdict says so. Those
    /// of its issuers have to be valid all the same.
    #[must_use]
    pub const fn allow_expired(mut self) -> Self {
        self.allows_expired = true;
        self
    }

    /// Believes this DID where it states that an attestation key is in the TPM with a certain
    /// certificate ([`Endorsement`](super::Endorsement)). Its maker has to be among the anchors all
    /// the same.
    #[must_use]
    pub fn endorsed_by(mut self, endorser: Did) -> Self {
        self.endorsers.push(endorser);
        self
    }

    /// Demands that the TPM states, beside where the key is, that its PCRs are in this state: these
    /// registers of the SHA-256 bank, no more and no fewer, with these values. An attestation of
    /// another device than a TPM, or without a statement of PCRs, is refused. Of two states the last is
    /// demanded.
    #[must_use]
    pub fn pcr_policy(mut self, expected: PcrState) -> Self {
        self.pcrs = Some(expected);
        self
    }

    /// What is demanded of the state, with what was stated.
    fn check_pcrs(&self, stated: Option<&PcrState>) -> Result<(), Refusal> {
        self.pcrs.as_ref().map_or(Ok(()), |expected| Ok(expected.check(stated)?))
    }

    fn check_firmware(&self, class: DeviceClass, found: Firmware) -> Result<(), Refusal> {
        let floor = self.floors.iter().find(|(of, _)| *of == class);
        let floor = floor.map_or(class.default_firmware(), |(_, floor)| *floor);
        if found >= floor { Ok(()) } else { Err(Refusal::Firmware { class, found, floor }) }
    }

    /// Verifies an attestation at a time, without asking anybody.
    ///
    /// # Errors
    ///
    /// [`AttestationRefusal`](Refusal) with the first thing that is wrong.
    pub fn verify(
        &self,
        attestation: &Attestation,
        fresh: Fresh<'_>,
        at: SystemTime,
    ) -> Result<Verdict, Refusal> {
        check_answer(attestation, fresh, at)?;
        let did = &attestation.did;
        if let Evidence::Tpm2Certify(parts) = &attestation.evidence {
            let checked = self.check_tpm(attestation, parts, at)?;
            let root = self.joined(&attestation.did, parts, &checked, at)?;
            let attested = Attested::new(did, checked.certified, root, attestation.created);
            return Ok(Verdict::Hardware(attested.with_pcrs(self.pcrs.clone())));
        }
        // No other device states one.
        self.check_pcrs(None)?;
        let certified = self.examine(&attestation.certificates(), at)?;
        if certified.key != *did.verifying_key() {
            return Err(Refusal::OtherKey { did: did.clone() });
        }
        let made = attestation.created;
        match certified.provenance {
            ProvenanceKind::Hardware => {
                Ok(Verdict::Hardware(Attested::new(did, certified, Root::Maker, made)))
            }
            ProvenanceKind::DeviceHeld => {
                Ok(Verdict::DeviceHeld(Attested::new(did, certified, Root::Maker, made)))
            }
            found => Err(Refusal::Provenance { found }),
        }
    }

    /// Verifies all of a TPM's attestation but that its attestation key is in the TPM with that
    /// certificate, and makes the question for that: the first is kept, the second sent.
    ///
    /// # Errors
    ///
    /// [`AttestationError::Refused`] with the first thing that is wrong, or that there is nothing
    /// to activate; [`AttestationError::NoRandomness`].
    pub fn begin(
        &self,
        attestation: &Attestation,
        fresh: Fresh<'_>,
        at: SystemTime,
    ) -> Result<(Activation, ActivationRequest), AttestationError> {
        let checked = self.check_but_join(attestation, fresh, at)?;
        Activation::begin(attestation, &checked)
    }

    /// The same once more, with the answer of the TPM.
    ///
    /// # Errors
    ///
    /// [`AttestationRefusal`](Refusal) with the first thing that is wrong.
    pub fn finish(
        &self,
        activation: Activation,
        answer: &ActivationAnswer,
        attestation: &Attestation,
        fresh: Fresh<'_>,
        at: SystemTime,
    ) -> Result<Activated, Refusal> {
        let checked = self.check_but_join(attestation, fresh, at)?;
        // Without an endorsement key there was nothing to activate.
        if checked.ek.is_none() {
            return Err(TpmRefusal::NothingToActivate.into());
        }
        activation.check(attestation, answer)?;
        Ok(Activated::new(attestation, checked, self.pcrs.clone()))
    }

    fn check_but_join(
        &self,
        attestation: &Attestation,
        fresh: Fresh<'_>,
        at: SystemTime,
    ) -> Result<tpm::Checked, Refusal> {
        check_answer(attestation, fresh, at)?;
        match &attestation.evidence {
            Evidence::Tpm2Certify(parts) => self.check_tpm(attestation, parts, at),
            Evidence::Yubico { .. } => Err(TpmRefusal::NothingToActivate.into()),
        }
    }

    fn check_tpm(
        &self,
        attestation: &Attestation,
        parts: &Parts,
        at: SystemTime,
    ) -> Result<tpm::Checked, Refusal> {
        let statement = tpm::check_statement(parts, &attestation.qualifying_data())?;
        let did = &attestation.did;
        if statement.key != *did.verifying_key() {
            return Err(Refusal::OtherKey { did: did.clone() });
        }
        let at = i64::try_from(clock::unix(at)).unwrap_or(i64::MAX);
        let checked =
            tpm::check_certificate(parts, statement, &self.anchors, at, self.allows_expired)?;
        let device = &checked.certified.device;
        self.check_firmware(device.class(), device.firmware())?;
        self.check_pcrs(checked.pcrs.as_ref())?;
        Ok(checked)
    }

    /// Whose word joins the attestation key to the maker.
    fn joined(
        &self,
        did: &Did,
        parts: &Parts,
        checked: &tpm::Checked,
        at: SystemTime,
    ) -> Result<Root, Refusal> {
        if checked.ek.is_none() {
            return Ok(Root::Maker);
        }
        let endorsement = parts.endorsement().ok_or(TpmRefusal::NotJoined)?;
        // Else whoever is believed of others would need no TPM of its own.
        if endorsement.endorser().verifying_key() == did.verifying_key() {
            return Err(TpmRefusal::OwnEndorsement { did: did.clone() }.into());
        }
        let (ak_name, certificate) = (&checked.ak_name, &checked.certificate);
        endorsement.check(&self.endorsers, ak_name, certificate, clock::unix(at))?;
        Ok(Root::Endorsed(endorsement.endorser().clone()))
    }

    /// What the certificates of a device say of a key, by these anchors and demands. It is the
    /// half of [`Self::verify`] that proves **no possession**: for who has the key, to see what
    /// others will be shown.
    ///
    /// # Errors
    ///
    /// [`AttestationRefusal`](Refusal) with the first thing that is wrong.
    pub fn examine(
        &self,
        certificates: &DeviceCertificates,
        at: SystemTime,
    ) -> Result<CertifiedKey, Refusal> {
        let at = i64::try_from(clock::unix(at)).unwrap_or(i64::MAX);
        let found = yubico::certified(&certificates.0, &self.anchors, at, self.allows_expired)?;
        self.check_firmware(found.device.class(), found.device.firmware())?;
        Ok(found)
    }

    /// What the certificates of a TPM's endorsement key say of that TPM, by these anchors: the EK's,
    /// then its issuers'. It is the part of [`Self::verify`] that wants no statement of the TPM: for who
    /// has the key, to see what others will be shown.
    ///
    /// # Errors
    ///
    /// [`AttestationRefusal`](Refusal) with the first thing that is wrong.
    pub fn examine_tpm(
        &self,
        certificates: &DeviceCertificates,
        at: SystemTime,
    ) -> Result<TpmModel, Refusal> {
        let at = i64::try_from(clock::unix(at)).unwrap_or(i64::MAX);
        tpm::examine_ek(&certificates.0, &self.anchors, at, self.allows_expired)
    }
}

/// That whoever has the DID's key answers this relying party, now: before certificates are looked
/// at, as whoever has seen them can show them.
fn check_answer(
    attestation: &Attestation,
    fresh: Fresh<'_>,
    at: SystemTime,
) -> Result<(), Refusal> {
    check_fresh(attestation, fresh, clock::unix(at))?;
    let did = attestation.did.clone();
    attestation.check_signature().map_err(|source| Refusal::Possession { did, source })
}

/// That it answers this relying party, now.
fn check_fresh(attestation: &Attestation, fresh: Fresh<'_>, now: u64) -> Result<(), Refusal> {
    let created = attestation.created;
    let expected = match fresh {
        Fresh::To(challenge) => challenge.audience.as_str(),
        Fresh::Within { audience, .. } => audience,
    };
    if attestation.audience != expected {
        let (expected, found) = (expected.to_owned(), attestation.audience.clone());
        return Err(Refusal::Audience { expected, found });
    }
    // Without a challenge what is ahead can be shown for as much longer.
    let ahead = match fresh {
        Fresh::To(_) => CLOCK_SKEW,
        Fresh::Within { age, .. } => age.as_secs().min(CLOCK_SKEW),
    };
    if created > now.saturating_add(ahead) {
        return Err(Refusal::FromTheFuture { wait: created - now });
    }
    if !clock::is_possible(created) {
        return Err(Refusal::Unset { created });
    }
    match fresh {
        Fresh::To(challenge) => {
            if !bool::from(challenge.nonce.ct_eq(&attestation.nonce)) {
                return Err(Refusal::Nonce);
            }
            if now > challenge.expires {
                return Err(Refusal::ChallengeExpired { ago: now - challenge.expires });
            }
            // The clock of who signed may be behind; the nonce says that it was not before.
            Ok(())
        }
        Fresh::Within { age, .. } => {
            let old = now.saturating_sub(created);
            let limit = age.min(MAX_AGE).as_secs();
            if old > limit { Err(Refusal::TooOld { seconds: old, limit }) } else { Ok(()) }
        }
    }
}
