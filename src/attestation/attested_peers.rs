//! Peers whose attestations were verified, for as long as that is believed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::{Attestable, Attested};
use crate::binding::CLOCK_SKEW;
use crate::did::Did;
use crate::key::Hardware;
use crate::peer::VerifiedDid;

/// The proofs that a relying party holds, one for each DID: an [`Attested`] tells of one moment,
/// and here it is decided for how long that is believed.
///
/// It is shared by its clones. `DidVerifier::attested` (feature `tls`) admits these peers alone;
/// what acts for one takes the proof out again by [`Self::proof_of`]. **Admission is not an order**: a
/// connection shows who has the TLS key of a DID, which is in memory whatever has the DID's key. What
/// has to come from the device is signed by that, and verified under [`Attested::verifying_key`].
///
/// - It is in memory only: after a restart there are none until attestations are verified again.
/// - It takes each proof of its type, one without a state of PCRs too. Who needs a state demands it of the
///   verifier ([`Verifier::pcr_policy`](super::Verifier::pcr_policy)), or looks at [`Attested::pcrs`].
/// - It closes no connection: one that is open outlives the proof. Ask [`Self::proof_of`] before each
///   command, and close the connection where it gives `None`.
pub struct AttestedPeers<P: Attestable = Hardware> {
    held: Arc<Mutex<HashMap<Did, Held<P>>>>,
    believed_for: Duration,
}

struct Held<P: Attestable> {
    proof: Attested<P>,
    since: SystemTime,
}

impl<P: Attestable> AttestedPeers<P> {
    /// None yet. Each is believed for this long after [`Self::hold`] was called, by the clock here: the
    /// time in the attestation ([`Attested::at`]) does not count.
    #[must_use]
    pub fn believed_for(duration: Duration) -> Self {
        Self { held: Arc::default(), believed_for: duration }
    }

    /// Holds a proof that was verified now, in place of an earlier one of the same DID. Those whose
    /// time is over are dropped.
    pub fn hold(&self, proof: Attested<P>) {
        self.put(proof, SystemTime::now(), |_| true);
    }

    /// The same, of one that was verified at that time: believed from then on. A time that is ahead of
    /// the clock here by more than 5 minutes is not believed. Of two of one DID, the one that was
    /// verified later is held.
    pub fn hold_at(&self, proof: Attested<P>, since: SystemTime) {
        self.put(proof, since, |held| held <= since);
    }

    fn put(&self, proof: Attested<P>, since: SystemTime, replaces: impl Fn(SystemTime) -> bool) {
        let mut held = self.lock();
        // Those of later stay: this one may have been verified a while ago.
        held.retain(|_, held| since <= held.since || self.believes(held.since, since));
        if held.get(proof.did()).is_none_or(|held| replaces(held.since)) {
            held.insert(proof.did().clone(), Held { proof, since });
        }
    }

    /// Believes a peer no longer.
    pub fn forget(&self, did: &Did) {
        self.lock().remove(did);
    }

    /// The proof of a peer whose DID was verified, if there is one whose time is not over.
    #[must_use]
    pub fn proof_of(&self, peer: &VerifiedDid) -> Option<Attested<P>> {
        self.proof_at(peer.as_did(), SystemTime::now())
    }

    /// Whether there is a proof of this DID whose time is not over.
    #[must_use]
    pub fn has(&self, did: &Did) -> bool {
        self.proof_at(did, SystemTime::now()).is_some()
    }

    /// As it is at that time. A proof of later is none: the clock was set back.
    pub(super) fn proof_at(&self, did: &Did, at: SystemTime) -> Option<Attested<P>> {
        let held = self.lock();
        held.get(did).filter(|held| self.believes(held.since, at)).map(|held| held.proof.clone())
    }

    fn believes(&self, since: SystemTime, at: SystemTime) -> bool {
        match at.duration_since(since) {
            Ok(old) => old <= self.believed_for,
            Err(ahead) => ahead.duration().as_secs() <= CLOCK_SKEW,
        }
    }

    /// Whoever panicked while holding it has left whole proofs.
    fn lock(&self) -> MutexGuard<'_, HashMap<Did, Held<P>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Attestable> Clone for AttestedPeers<P> {
    fn clone(&self) -> Self {
        Self { held: self.held.clone(), believed_for: self.believed_for }
    }
}

impl<P: Attestable> fmt::Debug for AttestedPeers<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttestedPeers")
            .field("held", &self.lock().len())
            .field("believed_for", &self.believed_for)
            .finish()
    }
}
