//! Who may be at the other end.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::did::Did;
use crate::peer::{PeerBook, Refusal};
use crate::rotation::{RotationChain, RotationError};

/// What decides. Asked about DIDs that were proven, and never about others.
#[derive(Clone)]
pub(super) enum Policy {
    /// Whom a connection names.
    Named,
    /// This one.
    Pinned(Did, Held),
    /// Each of these.
    Allowed(Arc<HashMap<Did, Held>>),
    /// Those in it.
    Booked(PeerBook),
    /// Those of which it says so.
    Decided(Arc<dyn Fn(&Did) -> bool + Send + Sync>),
}

/// The chain that was followed to a DID: no other leads on from there than one
/// that extends it. What was committed to is known by it alone.
pub(super) type Held = Option<Arc<RotationChain>>;

impl Policy {
    /// `named` is whom the connection is to, if it says so.
    pub(super) fn check(&self, did: &Did, named: Option<&Did>) -> Result<(), Refusal> {
        let accepted = match self {
            Self::Named => named.is_some(),
            Self::Pinned(pinned, _) => pinned == did,
            Self::Allowed(allowed) => allowed.contains_key(did),
            Self::Booked(book) => {
                book.contains(did).map_err(|error| Refusal::Book(error.into()))?
            }
            Self::Decided(decide) => decide(did),
        };
        if accepted && named.is_none_or(|named| named == did) {
            Ok(())
        } else {
            Err(Refusal::NotExpected { did: did.clone() })
        }
    }

    /// With the present DID in the place of each earlier one, and of the other DIDs of
    /// their keys, and the chain held beside it; whether other DIDs are accepted now.
    pub(super) fn follow(&mut self, chain: &RotationChain) -> Result<bool, RotationError> {
        let present = chain.current();
        let held = || Some(Arc::new(chain.clone()));
        match self {
            Self::Pinned(pinned, known) => {
                chain.leads_on(pinned, known.as_deref())?;
                let moved = pinned != present;
                (*pinned, *known) = (present.clone(), held());
                Ok(moved)
            }
            Self::Allowed(allowed) => {
                let mut kept = HashMap::new();
                for (did, known) in allowed.iter() {
                    match chain.leads_on(did, known.as_deref()) {
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
                // The same keys by their other DIDs, which are not accepted beside it.
                kept.retain(|did, _| !chain.supersedes(did.verifying_key()));
                kept.insert(present.clone(), held());
                let moved = kept.len() != allowed.len() || !allowed.contains_key(present);
                *allowed = Arc::new(kept);
                Ok(moved)
            }
            Self::Named | Self::Booked(_) | Self::Decided(_) => Ok(false),
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned(did, held) => {
                f.debug_tuple("Pinned").field(did).field(&held.as_deref()).finish()
            }
            Self::Allowed(allowed) => write!(f, "Allowed({} DIDs)", allowed.len()),
            Self::Named => f.write_str("Named"),
            Self::Booked(book) => f.debug_tuple("Booked").field(&book.directory()).finish(),
            Self::Decided(_) => f.write_str("Decided(..)"),
        }
    }
}
