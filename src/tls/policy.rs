//! Who may be at the other end.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::did::Did;
use crate::peer::Refusal;
use crate::rotation::{RotationChain, RotationError};

/// What decides. Asked about DIDs that were proven, and never about others.
#[derive(Clone)]
pub(super) enum Policy {
    /// This one.
    Pinned(Did, Held),
    /// Each of these.
    Allowed(Arc<HashMap<Did, Held>>),
    /// Those of which it says so.
    Decided(Arc<dyn Fn(&Did) -> bool + Send + Sync>),
}

/// The chain that was followed to a DID: no other leads on from there than one
/// that extends it. What was committed to is known by it alone.
pub(super) type Held = Option<Arc<RotationChain>>;

impl Policy {
    pub(super) fn check(&self, did: &Did) -> Result<(), Refusal> {
        let expected = match self {
            Self::Pinned(pinned, _) => pinned == did,
            Self::Allowed(allowed) => allowed.contains_key(did),
            Self::Decided(decide) => decide(did),
        };
        if expected { Ok(()) } else { Err(Refusal::NotExpected { did: did.clone() }) }
    }

    /// With the present DID in the place of each earlier one, and the chain held
    /// beside it; whether other DIDs are accepted now.
    pub(super) fn follow(&mut self, chain: &RotationChain) -> Result<bool, RotationError> {
        let present = chain.current();
        let held = || Some(Arc::new(chain.clone()));
        match self {
            Self::Pinned(pinned, known) => {
                check_leads_on(chain, pinned, known)?;
                let moved = pinned != present;
                (*pinned, *known) = (present.clone(), held());
                Ok(moved)
            }
            Self::Allowed(allowed) => {
                let mut kept = HashMap::new();
                for (did, known) in allowed.iter() {
                    match check_leads_on(chain, did, known) {
                        Ok(()) => {}
                        // It is about others.
                        Err(RotationError::NotInChain { .. }) => {
                            kept.insert(did.clone(), known.clone());
                        }
                        Err(error) => return Err(error),
                    }
                }
                if kept.len() == allowed.len() {
                    return Ok(false);
                }
                kept.insert(present.clone(), held());
                let moved = kept.len() != allowed.len() || !allowed.contains_key(present);
                *allowed = Arc::new(kept);
                Ok(moved)
            }
            Self::Decided(_) => Ok(false),
        }
    }
}

/// Whether a chain leads on from a DID that is accepted.
fn check_leads_on(chain: &RotationChain, did: &Did, known: &Held) -> Result<(), RotationError> {
    match known {
        Some(known) => chain.extends(known),
        None => chain.follow(did).map(drop),
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned(did, held) => {
                f.debug_tuple("Pinned").field(did).field(&held.as_deref()).finish()
            }
            Self::Allowed(allowed) => write!(f, "Allowed({} DIDs)", allowed.len()),
            Self::Decided(_) => f.write_str("Decided(..)"),
        }
    }
}
