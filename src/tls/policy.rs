//! Who may be at the other end.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::did::Did;
use crate::peer::Refusal;
use crate::rotation::{RotationChain, RotationError};

/// What decides. Asked about DIDs that were proven, and never about others.
#[derive(Clone)]
pub(super) enum Policy {
    /// This one.
    Pinned(Did),
    /// Each of these.
    Allowed(Arc<HashSet<Did>>),
    /// Those of which it says so.
    Decided(Arc<dyn Fn(&Did) -> bool + Send + Sync>),
}

impl Policy {
    pub(super) fn check(&self, did: &Did) -> Result<(), Refusal> {
        let expected = match self {
            Self::Pinned(pinned) => pinned == did,
            Self::Allowed(allowed) => allowed.contains(did),
            Self::Decided(decide) => decide(did),
        };
        if expected { Ok(()) } else { Err(Refusal::NotExpected { did: did.clone() }) }
    }

    /// With the present DID in the place of each earlier one; whether that is
    /// another policy.
    pub(super) fn follow(&mut self, chain: &RotationChain) -> Result<bool, RotationError> {
        match self {
            Self::Pinned(pinned) => {
                let present = chain.follow(pinned)?;
                let moved = pinned != present;
                *pinned = present.clone();
                Ok(moved)
            }
            Self::Allowed(allowed) => {
                let over = |did: &&Did| **did != *chain.current() && allowed.contains(*did);
                let over: HashSet<_> = chain.dids().filter(over).cloned().collect();
                if over.is_empty() {
                    return Ok(false);
                }
                let kept = allowed.difference(&over).chain([chain.current()]);
                *allowed = Arc::new(kept.cloned().collect());
                Ok(true)
            }
            Self::Decided(_) => Ok(false),
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned(did) => f.debug_tuple("Pinned").field(did).finish(),
            Self::Allowed(allowed) => write!(f, "Allowed({} DIDs)", allowed.len()),
            Self::Decided(_) => f.write_str("Decided(..)"),
        }
    }
}
