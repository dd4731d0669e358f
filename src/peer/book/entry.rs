//! A peer in the book.

use std::error::Error as StdError;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::did::Did;
use crate::peer::BookError;
use crate::rotation::{RotationChain, RotationError};

/// No name is longer, in bytes.
const LONGEST_NAME: usize = 256;

/// Between the names of entries that have become one.
const SEPARATOR: &str = "; ";

/// A peer that is accepted, as the book has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    did: Did,
    name: String,
    chain: Option<RotationChain>,
}

impl Peer {
    /// The present DID, which is accepted. Nobody has proved here to have it: that is in a
    /// [`VerifiedDid`](crate::peer::VerifiedDid).
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// The name that it was given here; it may be empty.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The chain that was followed to it.
    #[must_use]
    pub const fn chain(&self) -> Option<&RotationChain> {
        self.chain.as_ref()
    }
}

/// What a chain of rotations has changed in the book.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Followed {
    /// Nothing: none of its DIDs is in the book.
    Nobody,
    /// No DID; the chain is kept now, if it was not before.
    Unchanged,
    /// Another DID is in the book in the place of an earlier one.
    Moved {
        /// The present one.
        to: Did,
    },
}

/// Who was removed from the book.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "where nobody was removed, whoever was meant may be accepted still"]
#[non_exhaustive]
pub enum Removed {
    /// Nobody: neither the DID nor one that it has become was there.
    Nobody,
    /// A peer, under its present DID: the one that was given, or what that has become
    /// by the chain that is kept.
    Peer {
        /// The present one.
        did: Did,
    },
}

/// A peer in the file. Those that were removed stay, for what is known of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) did: Did,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    pub(super) allowed: bool,
    /// Verified when it is needed: most handshakes do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain: Option<Box<RawValue>>,
}

impl Entry {
    pub(super) fn new(did: &Did, name: &str, allowed: bool) -> Self {
        Self { did: did.clone(), name: name.to_owned(), allowed, chain: None }
    }

    pub(super) fn with_chain(mut self, chain: &RotationChain) -> Result<Self, RotationError> {
        let raw = serde_json::value::to_raw_value(chain).map_err(RotationError::json)?;
        self.chain = Some(raw);
        Ok(self)
    }

    pub(super) fn chain(&self) -> Result<Option<RotationChain>, RotationError> {
        let chain = self.chain.as_ref().map(|raw| RotationChain::from_json(raw.get().as_bytes()));
        chain.transpose()
    }

    pub(super) fn peer(&self) -> Result<Peer, Box<dyn StdError + Send + Sync>> {
        let chain = self.chain()?;
        if chain.as_ref().is_some_and(|chain| *chain.current() != self.did) {
            return Err(format!("the chain of {} does not lead to it", self.did).into());
        }
        Ok(Peer { did: self.did.clone(), name: self.name.clone(), chain })
    }
}

/// The names of entries that become one, each once, as far as there is room.
pub(super) fn joined<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut all: Vec<&str> = Vec::new();
    for name in names {
        let length: usize = all.iter().map(|name| name.len() + SEPARATOR.len()).sum();
        let has_room = length + name.len() <= LONGEST_NAME;
        if !name.is_empty() && !all.contains(&name) && has_room {
            all.push(name);
        }
    }
    all.join(SEPARATOR)
}

pub(super) fn check_name(name: &str) -> Result<(), BookError> {
    // It is printed in lists.
    if name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(BookError::Name { limit: LONGEST_NAME });
    }
    Ok(())
}
