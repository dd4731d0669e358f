//! What is read of peers, each read and written again.

use super::Certificate;
use super::book;

/// A certificate is written by its holder alone, and is what it is.
pub(crate) fn certificate(bytes: &[u8]) -> Option<Vec<u8>> {
    let proven = Certificate::read(bytes).ok()?.prove().ok()?;
    let binding = serde_json::to_vec(proven.binding()).ok()?;
    crate::formats::binding(&binding).map(|_| bytes.to_vec())
}

pub(crate) fn peers(bytes: &[u8]) -> Option<Vec<u8>> {
    book::reread_list(bytes)
}

pub(crate) fn seen(bytes: &[u8]) -> Option<Vec<u8>> {
    book::reread_seen(bytes)
}
