//! Approvals: PCR values that an approver signed, so that a key opens after a
//! firmware update without being sealed anew.
//!
//! What is signed is what `TPM2_PolicyAuthorize` wants (part 3, section
//! 23.16): the digest after `PolicyPCR` with these values, and the key's
//! `policyRef`. **An approval cannot be taken back**: whoever keeps the file
//! can put it there again as long as the key exists. Approve nothing that you
//! would not trust for as long.

use serde::{Deserialize, Serialize};

use super::approver::ApproverKey;
use super::pin::Purpose;
use super::policy;
use crate::algorithm::{AlgorithmId, P256VerifyingKey, Signature, VerifyingKey};
use crate::backend::{Owner, PcrValues, TpmObject, TpmPolicy};
use crate::did::Did;
use crate::encoding::{hex, objects};
use crate::error::{DeviceError, TpmError};
use crate::statement::{Purpose as Statement, Statement as Text};

const FORMAT: &str = "icn-tpm-approval";

/// What an approver is asked to sign: printed on the node, carried to the
/// approver, changed there if other values are meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ApprovalRequest {
    /// Whose key it is.
    pub did: Did,
    /// The approver's public key that the policies name, compressed, hex.
    #[serde(with = "hex")]
    pub approver: [u8; 33],
    /// What the policy of a P-256 key names in place of the DID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// The values to be approved.
    pub pcr: PcrValues,
}

/// As they are read.
mod fields {
    use super::*;

    #[derive(Deserialize)]
    #[serde(remote = "ApprovalRequest", deny_unknown_fields)]
    pub(super) struct Request {
        did: Did,
        #[serde(with = "hex")]
        approver: [u8; 33],
        #[serde(default)]
        owner: Option<Owner>,
        pcr: PcrValues,
    }

    #[derive(Deserialize)]
    #[serde(remote = "Approval", deny_unknown_fields)]
    pub(super) struct Signatures {
        format: String,
        did: Did,
        #[serde(with = "hex")]
        approver: [u8; 33],
        pcr: PcrValues,
        signatures: Vec<Signed>,
    }
}

objects::object_only!(ApprovalRequest as fields::Request, Approval as fields::Signatures);

impl ApprovalRequest {
    /// Reads JSON: a request, or an object that has one as its member `request`.
    ///
    /// # Errors
    ///
    /// [`TpmError::Approval`].
    pub fn from_json(text: &[u8]) -> Result<Self, DeviceError> {
        let value: Option<serde_json::Value> = objects::from_slice(text).ok();
        let request = value
            .as_ref()
            .and_then(|value| objects::from_value(value.get("request").unwrap_or(value)).ok());
        Ok(request.ok_or(TpmError::Approval { reason: "it is not an approval request" })?)
    }

    /// `policyRef` of the key and of the storage key: made here from whose they
    /// are, so that a request cannot ask for the key of somebody else. (For a
    /// P-256 key nothing shows that `owner` is that of the DID; it can be that
    /// of another P-256 key, but never that of an Ed25519 identity.)
    fn policy_refs(&self) -> Result<[[u8; 32]; 2], TpmError> {
        let did = self.did.as_str().as_bytes();
        let key = match (self.did.verifying_key().algorithm(), &self.owner) {
            (AlgorithmId::Ed25519, None) => did,
            (AlgorithmId::P256, Some(owner)) => &owner.0,
            _ => return Err(TpmError::Approval { reason: "the request's owner is not the DID's" }),
        };
        Ok([policy_ref(key, Purpose::Key), policy_ref(did, Purpose::Storage)])
    }
}

/// 32 bytes, hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct PolicyRef(#[serde(with = "hex")] [u8; 32]);

/// Signed PCR values, as somebody tells them: `TpmBackend::install` takes only
/// signatures by the approver that the identity's own policy names, and the TPM verifies
/// them once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    format: String,
    did: Did,
    #[serde(with = "hex")]
    approver: [u8; 33],
    pcr: PcrValues,
    signatures: Vec<Signed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    policy_ref: PolicyRef,
    #[serde(with = "hex")]
    signature: [u8; 64],
}

/// The `policyRef` of an object: a hash of whose it is and what for.
///
/// `owner` is the DID; for a P-256 key, whose DID is known only after its
/// policy was chosen, it is a random number.
pub(super) fn policy_ref(owner: &[u8], purpose: Purpose) -> [u8; 32] {
    use sha2::Digest as _;
    let text = Text::new(Statement::TpmApproval).field(owner).field(purpose.as_str().as_bytes());
    sha2::Sha256::digest(text.into_bytes()).into()
}

fn message(digest: &[u8; 32], policy_ref: &PolicyRef) -> Vec<u8> {
    [digest.as_slice(), &policy_ref.0].concat()
}

impl Approval {
    /// Signs the values of a request. No TPM is needed.
    ///
    /// # Errors
    ///
    /// If the request names another approver, or holds no valid values.
    pub fn sign(request: &ApprovalRequest, key: &ApproverKey) -> Result<Self, DeviceError> {
        let refuse = |reason| DeviceError::from(TpmError::Approval { reason });
        let public = key.verifying_key().ok_or_else(|| refuse("the key has no public key"))?;
        if *public.as_bytes() != request.approver {
            return Err(TpmError::OtherApprover.into());
        }
        let digest = policy::pcr_digest(&request.pcr)
            .ok_or_else(|| refuse("the request has no PCR values of its bank"))?;
        let sign = |policy_ref: [u8; 32]| Signed {
            policy_ref: PolicyRef(policy_ref),
            signature: key.sign(&message(&digest, &PolicyRef(policy_ref))),
        };
        Ok(Self {
            format: FORMAT.into(),
            did: request.did.clone(),
            approver: request.approver,
            pcr: request.pcr.clone(),
            signatures: request.policy_refs()?.map(sign).to_vec(),
        })
    }

    /// Reads JSON.
    ///
    /// # Errors
    ///
    /// [`TpmError::Approval`].
    pub fn from_json(text: &[u8]) -> Result<Self, DeviceError> {
        let approval: Option<Self> = objects::from_slice(text).ok();
        let approval = approval.filter(|approval| approval.format == FORMAT);
        let refused = TpmError::Approval { reason: "it is no approval of this version" };
        Ok(approval.ok_or(refused)?)
    }

    /// Whose key it is for.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// The approved values.
    #[must_use]
    pub const fn pcr(&self) -> &PcrValues {
        &self.pcr
    }

    /// Whether it opens the key and the storage key of this identity.
    pub(crate) fn check_for(&self, did: &Did, objects: [&TpmObject; 2]) -> Result<(), TpmError> {
        for object in objects {
            if object.policy.authorized.is_none() {
                return Err(TpmError::TakesNoApproval);
            }
            if self.did() != did || self.signature_for(&object.policy).is_none() {
                let reason =
                    "it is for another identity or other PCRs, by another approver, or changed";
                return Err(TpmError::Approval { reason });
            }
        }
        Ok(())
    }

    /// The signature for an object of this policy, if there is one and it
    /// verifies, over values of the very PCRs that the policy has. (What counts
    /// is that the TPM verifies it; this sorts out what it would not, and what
    /// would open by registers that nobody looks at.)
    pub(super) fn signature_for(&self, policy: &TpmPolicy) -> Option<[u8; 64]> {
        let (authorized, literal) = (policy.authorized.as_ref()?, policy.pcr.first()?);
        let same_registers =
            self.pcr.bank == literal.bank && self.pcr.values.keys().eq(literal.values.keys());
        let digest = policy::pcr_digest(&self.pcr)?;
        if !same_registers || self.approver != authorized.approver {
            return None;
        }
        let key = VerifyingKey::from(P256VerifyingKey::from_bytes(&self.approver).ok()?);
        self.signatures
            .iter()
            .filter(|signed| signed.policy_ref.0 == authorized.policy_ref)
            .find(|signed| {
                let signature = Signature::from_p256_bytes(signed.signature);
                key.verify(&message(&digest, &signed.policy_ref), &signature).is_ok()
            })
            .map(|signed| signed.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_approvals_are_objects_only() {
        let did = crate::key::Key::<crate::key::Software, crate::key::Unlocked>::generate();
        let did = did.unwrap().did().to_string();
        let (approver, zero) = (format!("02{}", "11".repeat(32)), "0".repeat(64));
        let pcr = serde_json::json!({ "bank": "sha256", "values": { "7": zero } });
        let request = serde_json::json!({ "did": did, "approver": approver, "pcr": pcr });
        let read =
            |json: &serde_json::Value| ApprovalRequest::from_json(json.to_string().as_bytes());
        assert!(read(&request).is_ok());
        assert!(read(&serde_json::json!({ "request": request, "opens": true })).is_ok());
        assert!(read(&serde_json::json!([did, approver, null, pcr])).is_err());
        assert!(read(&serde_json::json!({ "request": [did, approver, null, pcr] })).is_err());
        let array = serde_json::json!(["sha256", { "7": zero }]);
        let mut changed = request.clone();
        changed["pcr"] = array;
        assert!(read(&changed).is_err());
        let twice = format!("{{\"did\":\"{did}\",{}", &request.to_string()[1..]);
        assert!(ApprovalRequest::from_json(twice.as_bytes()).is_err());

        let signed = serde_json::json!([{ "policy_ref": zero, "signature": "0".repeat(128) }]);
        let approval = serde_json::json!({
            "format": FORMAT, "did": did, "approver": approver, "pcr": pcr, "signatures": signed,
        });
        assert!(Approval::from_json(approval.to_string().as_bytes()).is_ok());
        let array = serde_json::json!([FORMAT, did, approver, pcr, signed]);
        assert!(Approval::from_json(array.to_string().as_bytes()).is_err());
        let mut changed = approval;
        changed["signatures"] = serde_json::json!([[zero, "0".repeat(128)]]);
        assert!(Approval::from_json(changed.to_string().as_bytes()).is_err());
    }
}
