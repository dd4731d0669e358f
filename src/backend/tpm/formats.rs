//! Structures of a TPM and of approvals, each read and written again.

use tss_esapi::structures::Public;
use tss_esapi::traits::{Marshall as _, UnMarshall as _};

use super::object::{Stored, verifying_key};
use super::pin::Purpose;
use super::tcti::Tcti;
use super::{Approval, ApprovalRequest};
use crate::backend::TpmObject;
use crate::encoding::objects;

/// `TPMT_PUBLIC`.
pub(crate) fn public(bytes: &[u8]) -> Option<Vec<u8>> {
    let public = Public::unmarshall(bytes).ok()?;
    let _ = verifying_key(&public);
    public.marshall().ok()
}

/// An object of ours whose policy is that of its public part.
pub(crate) fn object(bytes: &[u8]) -> Option<Vec<u8>> {
    let object: TpmObject = objects::from_slice(bytes).ok()?;
    let stored = Stored::read(&object, Purpose::Key).ok()?;
    let _ = stored.verifying_key();
    serde_json::to_vec(&object).ok()
}

pub(crate) fn approval(bytes: &[u8]) -> Option<Vec<u8>> {
    serde_json::to_vec(&Approval::from_json(bytes).ok()?).ok()
}

/// `tpm-approvals.json`.
pub(crate) fn approvals(bytes: &[u8]) -> Option<Vec<u8>> {
    let approvals = super::store::parse(bytes).ok()?;
    serde_json::to_vec_pretty(&approvals).ok()
}

pub(crate) fn approval_request(bytes: &[u8]) -> Option<Vec<u8>> {
    serde_json::to_vec(&ApprovalRequest::from_json(bytes).ok()?).ok()
}

/// `device_path`.
pub(crate) fn device(bytes: &[u8]) -> Option<Vec<u8>> {
    let device = Tcti::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    Some(device.device().as_bytes().to_vec())
}

/// An object without a TPM: the public part as one would have it.
#[cfg(test)]
pub(crate) fn made_up(
    parent: crate::backend::TpmParent,
    policy: crate::backend::TpmPolicy,
    private: Vec<u8>,
    signs: bool,
) -> Option<TpmObject> {
    use super::object::{New, template};
    let new = if signs { New::SigningKey } else { New::Sealed(&[]) };
    let digest = super::policy::digest(&policy)?;
    let public = template(&new, &digest, policy.pin.is_some()).ok()?.marshall().ok()?;
    Some(TpmObject { parent, public, private, policy })
}
