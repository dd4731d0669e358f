//! Satisfying a policy in a session.

use sha2::{Digest as _, Sha256};
use tss_esapi::Context;
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::PolicySession;
use tss_esapi::structures::{
    Digest, DigestList, EccParameter, EccSignature, Name, Nonce, PcrSelectionList,
    Signature as TpmSignature, VerifiedTicket,
};
use tss_esapi::tss2_esys::TPMT_TK_VERIFIED;

use super::approval::Approval;
use super::approver;
use super::chip::flushing;
use super::failure::{Doing as _, Failed, Meaning};
use super::{pcr, policy};
use crate::algorithm::P256VerifyingKey;
use crate::backend::{Authorized, PcrValues, TpmPolicy};
use crate::error::TpmError;

const DOING: &str = "satisfy the policy";

/// A way through a policy that the TPM has gone once, to be gone again.
#[derive(Debug)]
pub(super) struct Way {
    platform: Option<Platform>,
    auth_value: bool,
}

#[derive(Debug)]
struct Platform {
    pcr_digest: Digest,
    selection: PcrSelectionList,
    approved: Option<Approved>,
    /// The digests of all ways, where there are several.
    branches: Option<DigestList>,
}

/// An approval, as `PolicyAuthorize` takes it.
#[derive(Debug)]
struct Approved {
    policy: Digest,
    policy_ref: Nonce,
    approver: Name,
    /// Kept as the library has it: its own type cannot be used twice.
    ticket: TPMT_TK_VERIFIED,
}

/// Values under which the policy opens, and why.
struct Candidate<'a> {
    values: &'a PcrValues,
    /// Approval by this signature; without one they are the literal values.
    signature: Option<[u8; 64]>,
}

impl Way {
    /// Finds a way through the policy, and goes it in the session.
    pub(super) fn find(
        context: &mut Context,
        session: PolicySession,
        wanted: &TpmPolicy,
        approvals: &[Approval],
    ) -> Result<Self, Failed> {
        let platform = match wanted.pcr.is_empty() {
            true => None,
            false => Some(Platform::find(context, session, wanted, approvals)?),
        };
        let way = Self { platform, auth_value: wanted.pin.is_some() };
        if let Some(platform) = &way.platform {
            platform.after_pcr(context, session)?;
        }
        way.with_auth_value(context, session)?;
        Ok(way)
    }

    /// Goes the same way again. PCRs that have changed since are
    /// [`Meaning::Value`].
    pub(super) fn again(
        &self,
        context: &mut Context,
        session: PolicySession,
    ) -> Result<(), Failed> {
        if let Some(platform) = &self.platform {
            let (digest, selection) = (&platform.pcr_digest, &platform.selection);
            policy_pcr(context, session, digest.clone(), selection.clone())?;
            platform.after_pcr(context, session)?;
        }
        self.with_auth_value(context, session)
    }

    fn with_auth_value(&self, context: &mut Context, session: PolicySession) -> Result<(), Failed> {
        if self.auth_value {
            context.policy_auth_value(session).doing(DOING)?;
        }
        Ok(())
    }
}

impl Platform {
    fn find(
        context: &mut Context,
        session: PolicySession,
        wanted: &TpmPolicy,
        approvals: &[Approval],
    ) -> Result<Self, Failed> {
        let candidates = candidates(wanted, approvals);
        // One state, or the newest approval, is most likely right: no PCR needs
        // to be read then.
        let likely =
            candidates.first().filter(|first| candidates.len() == 1 || first.signature.is_some());
        let mut chosen = None;
        if let Some(likely) = likely {
            match try_pcr(context, session, likely.values) {
                Ok(()) => chosen = Some(likely),
                Err(failed) if failed.meaning() == Some(Meaning::Value) => {}
                Err(failed) => return Err(failed),
            }
        }
        let chosen = match chosen {
            Some(chosen) => chosen,
            None => {
                let matching = matching(context, &candidates, wanted.authorized.is_some())?;
                try_pcr(context, session, matching.values)?;
                matching
            }
        };
        let approved = match (&wanted.authorized, chosen.signature) {
            (Some(authorized), Some(signature)) => {
                Some(approved(context, authorized, chosen.values, &signature)?)
            }
            _ => None,
        };
        Ok(Self {
            pcr_digest: pcr_digest(chosen.values)?,
            selection: chosen.values.selection()?,
            approved,
            branches: branches(wanted)?,
        })
    }

    fn after_pcr(&self, context: &mut Context, session: PolicySession) -> Result<(), Failed> {
        if let Some(approved) = &self.approved {
            context
                .policy_authorize(
                    session,
                    approved.policy.clone(),
                    approved.policy_ref.clone(),
                    &approved.approver,
                    VerifiedTicket::try_from(approved.ticket).doing(DOING)?,
                )
                .doing(DOING)?;
        }
        if let Some(branches) = &self.branches {
            context.policy_or(session, branches.clone()).doing(DOING)?;
        }
        Ok(())
    }
}

fn branches(wanted: &TpmPolicy) -> Result<Option<DigestList>, Failed> {
    let branches = policy::branches(wanted).unwrap_or_default();
    if branches.len() < 2 {
        return Ok(None);
    }
    let mut list = DigestList::new();
    for branch in &branches {
        let digest = Digest::try_from(branch.as_slice()).doing(DOING)?;
        list.add(digest).doing(DOING)?;
    }
    Ok(Some(list))
}

/// Approved values, newest first, then the literal ones, newest first.
fn candidates<'a>(wanted: &'a TpmPolicy, approvals: &'a [Approval]) -> Vec<Candidate<'a>> {
    approvals
        .iter()
        .rev()
        .filter_map(|approval| {
            let signature = Some(approval.signature_for(wanted)?);
            Some(Candidate { values: approval.pcr(), signature })
        })
        .chain(wanted.pcr.iter().rev().map(|values| Candidate { values, signature: None }))
        .collect()
}

/// The first candidate that has the present values.
fn matching<'a, 'b>(
    context: &mut Context,
    candidates: &'a [Candidate<'b>],
    authorized: bool,
) -> Result<&'a Candidate<'b>, Failed> {
    let mut nearest: Option<Vec<_>> = None;
    // All are of the same registers.
    let first = candidates.first().map(|first| first.values);
    let first = first.ok_or(TpmError::Damaged { what: "PCR values", source: None })?;
    let found = pcr::read(context, first.bank, first.indices())?;
    for candidate in candidates {
        let differences = candidate.values.differences(&found);
        if differences.is_empty() {
            return Ok(candidate);
        }
        if nearest.as_ref().is_none_or(|nearest| differences.len() < nearest.len()) {
            nearest = Some(differences);
        }
    }
    let differences = nearest.unwrap_or_default();
    Err(TpmError::PcrMismatch { differences, authorized }.into())
}

fn try_pcr(
    context: &mut Context,
    session: PolicySession,
    values: &PcrValues,
) -> Result<(), Failed> {
    policy_pcr(context, session, pcr_digest(values)?, values.selection()?)
}

/// With the digest that is expected, so that other values are told at once.
fn policy_pcr(
    context: &mut Context,
    session: PolicySession,
    digest: Digest,
    selection: PcrSelectionList,
) -> Result<(), Failed> {
    context.policy_pcr(session, digest, selection).doing("compare its PCRs")
}

fn pcr_digest(values: &PcrValues) -> Result<Digest, Failed> {
    let digest = values.digest().filter(|_| values.is_valid());
    let digest = digest.ok_or(TpmError::Damaged { what: "PCR values", source: None })?;
    Digest::try_from(digest.as_slice()).doing(DOING)
}

/// Has the TPM verify an approval. Its ticket is good until the TPM is
/// cleared.
fn approved(
    context: &mut Context,
    authorized: &Authorized,
    values: &PcrValues,
    signature: &[u8; 64],
) -> Result<Approved, Failed> {
    const VERIFY: &str = "verify an approval";
    let unusable = || TpmError::Approval { reason: "its approver's key is none" };
    let key = P256VerifyingKey::from_bytes(&authorized.approver).map_err(|_| unusable())?;
    let policy = policy::pcr_digest(values).ok_or_else(unusable)?;
    let signed = Sha256::new_with_prefix(policy).chain_update(authorized.policy_ref).finalize();
    let public = approver::public(&key).doing(VERIFY)?;
    let loaded: KeyHandle = context
        .execute_without_session(|context| {
            // The hierarchy that tickets are made for.
            context.load_external_public(public, Hierarchy::Owner)
        })
        .doing(VERIFY)?;
    let ticket = flushing(context, loaded, |context| {
        let digest = Digest::try_from(signed.as_slice()).doing(VERIFY)?;
        let signature = ecdsa(signature).doing(VERIFY)?;
        context
            .execute_without_session(|context| context.verify_signature(loaded, digest, signature))
            .doing(VERIFY)
    })?;
    let name = approver::name(&key).ok_or_else(unusable)?;
    Ok(Approved {
        policy: Digest::try_from(policy.as_slice()).doing(VERIFY)?,
        policy_ref: Nonce::try_from(authorized.policy_ref.as_slice()).doing(VERIFY)?,
        approver: Name::try_from(name).doing(VERIFY)?,
        ticket: TPMT_TK_VERIFIED::try_from(ticket).doing(VERIFY)?,
    })
}

fn ecdsa(signature: &[u8; 64]) -> Result<TpmSignature, tss_esapi::Error> {
    let (r, s) = signature.split_at(32);
    let (r, s) = (EccParameter::try_from(r)?, EccParameter::try_from(s)?);
    Ok(TpmSignature::EcDsa(EccSignature::create(HashingAlgorithm::Sha256, r, s)?))
}
