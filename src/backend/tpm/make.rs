//! Making objects: the states and the policy that they are sealed under.

use std::sync::Arc;

use super::chip::Reconnect;
use super::key::TpmKey;
use super::object::{New, Stored};
use super::pin::Purpose;
use super::seed::TpmSeed;
use super::{TpmBackend, approval, approver, object, overwrite, parent, pcr, tpm};
use crate::algorithm::P256VerifyingKey;
use crate::backend::{
    Authorized, Created, Locator, NewKey, Owner, PcrValues, Plan, TpmObject, TpmPolicy,
};
use crate::config::PcrPolicy;
use crate::did::Did;
use crate::error::{Error, TpmError};
use crate::key::device::DeviceKey as _;
use crate::key::{DidKey, Key, TpmSealed, Unlocked, tpm_sealed};
use crate::secret::{LockedText, Pin, SigningSeed};

/// The states of the machine that a new policy is for.
#[derive(Clone, Copy, Default)]
pub(super) struct States<'a> {
    /// The PCR values that were read; read now if there are none.
    pub(super) present: Option<&'a PcrValues>,
    /// Others, that are to come.
    pub(super) coming: Option<&'a PcrValues>,
}

impl<'a> States<'a> {
    pub(super) fn planned(plan: &'a Plan) -> Self {
        Self { present: plan.pcrs.as_ref(), coming: None }
    }
}

/// Whose objects approvals are for.
pub(super) enum Named<'a> {
    Did(&'a Did),
    /// The DID is not known yet.
    Random([u8; 32]),
}

impl Named<'_> {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Did(did) => did.as_str().as_bytes(),
            Self::Random(owner) => owner,
        }
    }

    const fn random(&self) -> Option<Owner> {
        match self {
            Self::Did(_) => None,
            Self::Random(owner) => Some(Owner(*owner)),
        }
    }
}

impl TpmBackend {
    /// The policy of a new object, as configured.
    pub(super) fn new_policy(
        &self,
        owner: &Named<'_>,
        purpose: Purpose,
        pin: &Pin,
        states: States<'_>,
    ) -> Result<TpmPolicy, Error> {
        let config = self.config();
        if !config.pin && !pin.is_none() {
            let reason = "a PIN was given, and `pin = false` under [identity.tpm]";
            return Err(tpm(TpmError::NoSuchPolicy { reason }));
        }
        let mut pcr = Vec::new();
        if config.platform_binding {
            pcr.push(match states.present {
                Some(present) => present.clone(),
                None => self.present_pcrs()?,
            });
            pcr.extend(states.coming.filter(|coming| Some(*coming) != pcr.first()).cloned());
        } else if states.coming.is_some() {
            let reason = "PCR values are given, and platform_binding is false";
            return Err(tpm(TpmError::NoSuchPolicy { reason }));
        }
        if !pcr.iter().all(PcrValues::is_valid) {
            let reason = "these are no PCR values of their bank";
            return Err(tpm(TpmError::NoSuchPolicy { reason }));
        }
        let authorized = match config.policy {
            PcrPolicy::Literal => None,
            PcrPolicy::Authorized => {
                let approver = *self.approver()?.as_bytes();
                let policy_ref = approval::policy_ref(owner.as_bytes(), purpose);
                Some(Authorized { approver, policy_ref, owner: owner.random() })
            }
        };
        let pin = match config.pin {
            false => None,
            true if pin.is_none() => return Err(tpm(TpmError::PinMissing)),
            true => Some(self.access.stretching(pin).map_err(tpm)?),
        };
        Ok(TpmPolicy { pcr, authorized, pin })
    }

    /// That the approver's public key can be read, where new policies name one.
    pub(crate) fn check_approver(&self) -> Result<(), Error> {
        match self.config().policy {
            PcrPolicy::Literal => Ok(()),
            PcrPolicy::Authorized => self.approver().map(drop),
        }
    }

    fn approver(&self) -> Result<P256VerifyingKey, Error> {
        let path = self.config().approver.as_ref().ok_or(TpmError::NoSuchPolicy {
            reason: "policy = \"authorized\" wants the approver's public key: `approver`",
        });
        approver::read_public(path.map_err(tpm)?)
    }

    /// **Blocks** on the device. The present values of the configured PCRs.
    ///
    /// # Errors
    ///
    /// [`TpmError::NoBank`] if the TPM has no such bank.
    pub fn present_pcrs(&self) -> Result<PcrValues, Error> {
        let config = self.config();
        let read = self.access.chip.work(Reconnect::Once, |work| {
            pcr::read(work.context, config.pcr_bank, config.pcr_indices.iter())
        });
        read.map_err(tpm)
    }

    /// Where new objects are to be bound to them.
    pub(super) fn present_pcrs_if_bound(&self) -> Result<Option<PcrValues>, Error> {
        let bound = self.config().platform_binding;
        if bound { self.present_pcrs().map(Some) } else { Ok(None) }
    }

    /// Makes an object under the storage key that is there, which must be the
    /// pinned one.
    pub(super) fn make(
        &self,
        policy: &TpmPolicy,
        purpose: Purpose,
        pin: &Pin,
        secret: Option<(&Did, &[u8])>,
    ) -> Result<TpmObject, Error> {
        let stretched = match &policy.pin {
            None => None,
            Some(how) => Some(self.access.stretch(pin, how).map_err(tpm)?),
        };
        let auth = stretched.as_ref().map(|stretched| stretched.auth_value());
        let encrypted = match (&stretched, secret) {
            (Some(stretched), Some((did, secret))) => {
                Some(stretched.encrypt(purpose, did.as_str(), secret).map_err(tpm)?)
            }
            (_, secret) => secret.map(|(_, secret)| zeroize::Zeroizing::new(secret.to_vec())),
        };
        let new = match &encrypted {
            Some(encrypted) => New::Sealed(encrypted),
            None => New::SigningKey,
        };
        let auth = auth.as_ref().map(|auth| auth.as_slice());
        let made = self.access.chip.work(Reconnect::Once, |work| {
            let parent = parent::present(work.context, self.config().key_handle)?;
            self.access.check_pinned(&parent)?;
            parent::under(work.context, &parent, |context, key| {
                object::create(context, &parent, key, policy, auth, &new)
            })
            .inspect(|_| {
                // With a PIN, what was sealed is encrypted.
                if policy.pin.is_none() && secret.is_some() {
                    overwrite::after_sealing(work.context);
                }
            })
        });
        made.map_err(tpm)
    }

    pub(super) fn create_sealed(
        &self,
        states: States<'_>,
        request: &NewKey,
        pin: &Pin,
    ) -> Result<Created, Error> {
        let seed = SigningSeed::generate()?;
        let did = Did::fitting(request.did_method, &seed.verifying_key().into());
        let (key, object) = self.seal_seed(states, did, seed, pin)?;
        Ok(Created { key: key.into(), locator: Locator::Tpm(Box::new(object)) })
    }

    /// A seed is sealed under the policy that is configured.
    pub(super) fn seal_seed(
        &self,
        states: States<'_>,
        did: Did,
        seed: SigningSeed,
        pin: &Pin,
    ) -> Result<(Key<TpmSealed, Unlocked>, TpmObject), Error> {
        let policy = self.new_policy(&Named::Did(&did), Purpose::Key, pin, states)?;
        let object = self.make(&policy, Purpose::Key, pin, Some((&did, seed.as_bytes())))?;
        let handle = TpmSeed { access: Arc::clone(&self.access), object: object.clone(), did };
        let (did, evidence) = (handle.did.clone(), handle.evidence()?);
        let key = tpm_sealed::checked(&did, Arc::new(handle), seed, evidence)?;
        Ok((key, object))
    }

    pub(super) fn create_p256(
        &self,
        states: States<'_>,
        request: &NewKey,
        pin: &Pin,
    ) -> Result<Created, Error> {
        // The DID follows from the key, and the key from its policy: approvals
        // are for a random owner.
        let mut owner = [0; 32];
        crate::secret::fill_random(&mut owner)?;
        let policy = self.new_policy(&Named::Random(owner), Purpose::Key, pin, states)?;
        let object = self.make(&policy, Purpose::Key, pin, None)?;
        let shown = Stored::read(&object, Purpose::Key).and_then(|stored| stored.verifying_key());
        let did = Did::fitting(request.did_method, &shown.map_err(tpm)?.into());
        let key = TpmKey { access: Arc::clone(&self.access), object: object.clone(), did };
        let key = DidKey::from_new_device_key(key.open(pin)?, request.did_method)?;
        Ok(Created { key, locator: Locator::Tpm(Box::new(object)) })
    }

    pub(super) fn seal_storage(
        &self,
        did: &Did,
        storage_key: &LockedText,
        pin: &Pin,
        states: States<'_>,
    ) -> Result<TpmObject, Error> {
        let policy = self.new_policy(&Named::Did(did), Purpose::Storage, pin, states)?;
        let secret = storage_key.expose_secret().as_bytes();
        self.make(&policy, Purpose::Storage, pin, Some((did, secret)))
    }

    /// What was sealed to other values than the present ones would not open.
    pub(super) fn check_unmoved(&self, plan: &Plan) -> Result<(), Error> {
        let Some(planned) = &plan.pcrs else { return Ok(()) };
        let differences = planned.differences(&self.present_pcrs()?);
        if differences.is_empty() {
            return Ok(());
        }
        Err(tpm(TpmError::PcrMoved { differences }))
    }
}
