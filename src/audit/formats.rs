//! The audit log's lines and what belongs to them, each read and written again.

use super::checkpoint::SignedCheckpoint;
use super::head;
use super::line::Line;

/// A line is written from what happened, and is what it is.
pub(crate) fn line(bytes: &[u8]) -> Option<Vec<u8>> {
    let line = Line::parse(bytes).ok()?;
    assert!(line.torn().is_none_or(|torn| line.read.bytes == Some(torn.bytes)));
    Some(bytes.to_vec())
}

pub(crate) fn head(bytes: &[u8]) -> Option<Vec<u8>> {
    head::parse(bytes).map(|last| head::written(&last))
}

/// A checkpoint that the DID in it has signed.
pub(crate) fn checkpoint(bytes: &[u8]) -> Option<Vec<u8>> {
    let signed: SignedCheckpoint = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    signed.verify(&signed.claimed_did()?).ok()?;
    Some(signed.to_string().into_bytes())
}

/// A line as it would be written.
#[cfg(test)]
pub(crate) fn made_up_line(
    did: &crate::Did,
    seq: u64,
    hash: [u8; 32],
    entry: &super::Entry,
) -> Vec<u8> {
    use super::line::{ChainId, Content, Link, write};
    let (mut line, after) = (Vec::new(), Link { chain: ChainId([7; 8]), seq, hash });
    write(&mut line, &after, "2026-11-28T10:00:00.123Z", Content::Entry(did, entry));
    line.pop();
    line
}

/// A checkpoint as it would be signed.
#[cfg(test)]
pub(crate) fn made_up_checkpoint(
    signer: &dyn crate::DidSigner,
    seq: u64,
    hash: [u8; 32],
) -> Vec<u8> {
    use super::checkpoint::Checkpoint;
    use super::line::{ChainId, Link};
    let link = Link { chain: ChainId([7; 8]), seq, hash };
    Checkpoint::now(signer.did(), link).sign(signer).unwrap().to_string().into_bytes()
}
