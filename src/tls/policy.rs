//! Who may be at the other end.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::did::Did;
use crate::peer::Refusal;

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
