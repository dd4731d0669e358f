//! Will an identity open? Asked without a PIN, and without giving a try away.

use serde::Serialize;

use super::approval::{Approval, ApprovalRequest};
use super::chip::{Reconnect, flushing};
use super::object::Stored;
use super::pin::Purpose;
use super::{TpmBackend, parent, pcr, store, tpm};
use crate::backend::{Authorized, PcrValues, TpmObject, TpmPolicy};
use crate::did::Did;
use crate::error::{DeviceError, Error, PcrDifference, TpmError};

/// What was found out about an identity.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct TpmCheck {
    /// Whether everything opens (given the right PIN, and unless the TPM is
    /// locked).
    pub opens: bool,
    /// The key, then the storage key.
    pub objects: Vec<Outlook>,
    /// How many wrong PINs the TPM takes before it locks, where it tells.
    pub tries_left: Option<u32>,
    /// Whether the TPM is locked: it takes no PIN, the right one neither. Objects without
    /// a PIN open all the same.
    pub locked: bool,
    /// After how many seconds, at most, a TPM that is locked or has one try left takes one
    /// more.
    pub recovery_seconds: Option<u32>,
    /// What an approver would be asked to sign, where the policy takes
    /// approvals: the values that were looked at.
    pub request: Option<ApprovalRequest>,
}

/// Whether one object opens.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Outlook {
    /// `key` or `storage`.
    pub object: &'static str,
    /// Whether its PCRs are as its policy wants them.
    pub opens: bool,
    /// By what: `literal`, `approval`, or `no-pcr` where the policy has none.
    pub by: Option<&'static str>,
    /// Whether a PIN is wanted as well.
    pub wants_pin: bool,
    /// The registers that differ from the nearest values that would do.
    pub differences: Vec<PcrDifference>,
}

impl TpmBackend {
    /// **Blocks** on the device. Loads both objects, and compares the policies with
    /// the present PCRs, or with these values where there are any.
    ///
    /// # Errors
    ///
    /// If this is another TPM, or an object is damaged.
    pub fn check(
        &self,
        did: &Did,
        key: &TpmObject,
        storage: &TpmObject,
        values: Option<&PcrValues>,
    ) -> Result<TpmCheck, Error> {
        self.check_with(did, key, storage, values, &store::read(&self.access.home))
    }

    /// The same with other approvals than those of the home.
    pub(crate) fn check_with(
        &self,
        did: &Did,
        key: &TpmObject,
        storage: &TpmObject,
        values: Option<&PcrValues>,
        approvals: &[Approval],
    ) -> Result<TpmCheck, Error> {
        let lockout = self.access.lockout().map_err(tpm)?;
        let mut objects = Vec::new();
        let mut looked_at = None;
        for (object, purpose) in [(key, Purpose::Key), (storage, Purpose::Storage)] {
            self.loads(object, purpose)?;
            let found = self.found(&object.policy, values)?;
            objects.push(outlook(&object.policy, purpose, found.as_ref(), approvals));
            looked_at = looked_at.or(found);
        }
        let locked = lockout.tries_left() == Some(0);
        Ok(TpmCheck {
            opens: objects.iter().all(|object| object.opens && !(object.wants_pin && locked)),
            objects,
            tries_left: lockout.tries_left(),
            locked,
            recovery_seconds: lockout
                .interval
                .filter(|_| lockout.tries_left().is_some_and(|left| left <= 1)),
            request: looked_at.and_then(|pcr| request(did, &key.policy, pcr)),
        })
    }

    /// **Blocks** on device and files. Puts an approval where this node finds it,
    /// after looking whether it is for this identity and verifies.
    ///
    /// # Errors
    ///
    /// [`TpmError::Approval`].
    pub fn install(
        &self,
        approval: &Approval,
        did: &Did,
        key: &TpmObject,
        storage: &TpmObject,
    ) -> Result<(), Error> {
        approval.check_for(did, [key, storage]).map_err(tpm)?;
        Ok(store::add(&self.access.home, approval.clone())?)
    }

    /// Whether the policy of an object takes approvals at all. No TPM is asked.
    ///
    /// # Errors
    ///
    /// [`TpmError::TakesNoApproval`].
    pub fn takes_approvals(&self, object: &TpmObject) -> Result<(), Error> {
        match object.policy.authorized {
            Some(_) => Ok(()),
            None => Err(tpm(TpmError::TakesNoApproval)),
        }
    }

    /// Whether an identity opens now, given the right PIN, as far as that shows without
    /// one: this is its TPM, which is not locked, and the PCRs are as both policies want
    /// them.
    ///
    /// # Errors
    ///
    /// What opening it would say.
    pub(crate) fn check_opens(
        &self,
        did: &Did,
        key: &TpmObject,
        storage: &TpmObject,
    ) -> Result<(), Error> {
        let check = self.check(did, key, storage, None)?;
        match check.objects.into_iter().find(|object| !object.opens) {
            Some(Outlook { differences, .. }) => {
                let authorized = key.policy.authorized.is_some();
                Err(tpm(TpmError::PcrMismatch { differences, authorized }))
            }
            None if key.policy.pin.is_some() => {
                let lockout = self.access.lockout().map_err(tpm)?;
                // The last try is for who sends it to judge.
                lockout.check(true).map_err(tpm)
            }
            None => Ok(()),
        }
    }

    /// Whether the TPM takes the object at all. No policy is satisfied for it.
    fn loads(&self, object: &TpmObject, purpose: Purpose) -> Result<(), DeviceError> {
        let stored = Stored::read(object, purpose)?;
        self.access.check_configured(&object.parent)?;
        Ok(self.access.chip.work(Reconnect::Once, |work| {
            parent::under(work.context, &object.parent, |context, parent| {
                let loaded = stored.load(context, parent, purpose)?;
                flushing(context, loaded, |_| Ok(()))
            })
        })?)
    }

    /// The values of the policy's PCRs: those that are given, for the rest the
    /// present ones.
    fn found(
        &self,
        policy: &TpmPolicy,
        values: Option<&PcrValues>,
    ) -> Result<Option<PcrValues>, Error> {
        let Some(literal) = policy.pcr.first() else { return Ok(None) };
        let read = self
            .access
            .chip
            .work(Reconnect::Once, |work| pcr::read(work.context, literal.bank, literal.indices()));
        let present = read.map_err(tpm)?;
        let Some(values) = values else { return Ok(Some(present)) };
        if !values.is_valid() {
            let reason = "these are no PCR values of their bank";
            return Err(tpm(TpmError::NoSuchPolicy { reason }));
        }
        let found = present.overlaid(values).ok_or_else(|| {
            tpm(TpmError::NoSuchPolicy {
                reason: "the values given are of another bank, or of PCRs that the policy has not",
            })
        })?;
        Ok(Some(found))
    }
}

fn outlook(
    policy: &TpmPolicy,
    purpose: Purpose,
    found: Option<&PcrValues>,
    approvals: &[Approval],
) -> Outlook {
    let (object, wants_pin) = (purpose.as_str(), policy.pin.is_some());
    let Some(found) = found else {
        let by = Some("no-pcr");
        return Outlook { object, opens: true, by, wants_pin, differences: Vec::new() };
    };
    let approved =
        approvals.iter().rev().filter(|approval| approval.signature_for(policy).is_some());
    let literal = policy.pcr.iter().rev().map(|values| ("literal", values));
    let ways = approved.map(|approval| ("approval", approval.pcr())).chain(literal);
    let mut nearest: Option<Vec<PcrDifference>> = None;
    for (by, values) in ways {
        let differences = values.differences(found);
        if differences.is_empty() {
            let (by, differences) = (Some(by), differences);
            return Outlook { object, opens: true, by, wants_pin, differences };
        }
        if nearest.as_ref().is_none_or(|nearest| differences.len() < nearest.len()) {
            nearest = Some(differences);
        }
    }
    let differences = nearest.unwrap_or_default();
    Outlook { object, opens: false, by: None, wants_pin, differences }
}

fn request(did: &Did, policy: &TpmPolicy, pcr: PcrValues) -> Option<ApprovalRequest> {
    let Authorized { approver, owner, .. } = policy.authorized.clone()?;
    Some(ApprovalRequest { did: did.clone(), approver, owner, pcr })
}
