//! What everybody may know of a key.

use crate::algorithm::VerifyingKey;
use crate::did::Did;
use crate::evidence::Evidence;

/// The DID, and the evidence once it was read.
#[derive(Debug)]
#[allow(unnameable_types, reason = "it is in the signature of a hook that nobody outside can call")]
pub struct Public {
    pub(super) did: Did,
    pub(super) evidence: Option<Evidence>,
}

impl Public {
    pub(super) fn new(did: Did, evidence: Option<Evidence>) -> Self {
        Self { did, evidence }
    }

    pub(super) fn verifying_key(&self) -> &VerifyingKey {
        self.did.verifying_key()
    }
}
