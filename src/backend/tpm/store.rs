//! Approvals that a node has: `tpm-approvals.json` beside the identity.
//!
//! Not secret and not trusted: the TPM verifies each before it counts.

use std::path::{Path, PathBuf};

use super::approval::Approval;
use crate::encoding::objects;
use crate::error::KeystoreError;
use crate::file::{self, Lock, names};

/// More than there are states of a machine worth keeping.
const MOST: usize = 32;

fn path(home: &Path) -> PathBuf {
    home.join(names::APPROVALS)
}

/// Oldest first. A damaged file is as good as none: the literal values may
/// still open the key.
pub(super) fn read(home: &Path) -> Vec<Approval> {
    try_read(home).unwrap_or_else(|error| {
        log::warn!("{error}; approvals are left aside");
        Vec::new()
    })
}

fn try_read(home: &Path) -> Result<Vec<Approval>, KeystoreError> {
    let path = path(home);
    let Some(bytes) = file::read_private(&path)? else { return Ok(Vec::new()) };
    parse(&bytes).map_err(|source| KeystoreError::Approvals { path, source: source.into() })
}

pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<Vec<Approval>> {
    objects::from_slice(bytes)
}

/// Adds one as the newest, and drops the oldest of too many.
pub(crate) fn push(approvals: &mut Vec<Approval>, approval: Approval) {
    approvals.retain(|known| *known != approval);
    approvals.drain(..approvals.len().saturating_sub(MOST - 1));
    approvals.push(approval);
}

/// Adds one as the newest.
pub(super) fn add(home: &Path, approval: Approval) -> Result<(), KeystoreError> {
    let _lock = Lock::exclusive(home)?;
    let path = path(home);
    // Not over a file that cannot be read: there may be approvals in it.
    let mut approvals = try_read(home)?;
    push(&mut approvals, approval);
    let text = serde_json::to_vec_pretty(&approvals)
        .map_err(|source| KeystoreError::Approvals { path: path.clone(), source: source.into() })?;
    file::write(&path, &text)
}
