//! `peers.json`.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::entry::{self, Entry};
use super::{Followed, Peer, Removed};
use crate::did::Did;
use crate::encoding::objects;
use crate::peer::book_error::{BookError, VERSION, check_version};
use crate::rotation::{RotationChain, RotationError, RotationStatement};

/// Everybody that the book knows of, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct List {
    entries: Vec<Entry>,
    allowed: HashSet<Did>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Format {
    #[serde(rename = "version")]
    _version: u64,
    peers: Vec<Entry>,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    peers: &'a [Entry],
}

impl List {
    pub(super) fn parse(path: &Path, json: &[u8]) -> Result<Self, BookError> {
        let damaged = |source: Box<dyn StdError + Send + Sync>| BookError::Damaged {
            path: path.to_owned(),
            source,
        };
        check_version(path, json)?;
        let format: Format = objects::from_slice(json).map_err(|error| damaged(error.into()))?;
        let mut dids = HashSet::new();
        for entry in &format.peers {
            if !dids.insert(&entry.did) {
                return Err(damaged(format!("{} is there twice", entry.did).into()));
            }
        }
        let mut list = Self { entries: format.peers, allowed: HashSet::new() };
        list.index();
        Ok(list)
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        let written = Written { version: VERSION, peers: &self.entries };
        // Strings and numbers: nothing here can fail.
        let mut json = serde_json::to_vec_pretty(&written).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// Without what is there for people's eyes.
    pub(super) fn to_short_json(&self) -> Vec<u8> {
        let written = Written { version: VERSION, peers: &self.entries };
        serde_json::to_vec(&written).unwrap_or_default()
    }

    fn index(&mut self) {
        let allowed = self.entries.iter().filter(|entry| entry.allowed);
        self.allowed = allowed.map(|entry| entry.did.clone()).collect();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn contains(&self, did: &Did) -> bool {
        self.allowed.contains(did)
    }

    pub(super) fn peers(&self) -> Result<Vec<Peer>, Box<dyn StdError + Send + Sync>> {
        self.entries.iter().filter(|entry| entry.allowed).map(Entry::peer).collect()
    }

    pub(super) fn find(&self, did: &Did) -> Result<Option<Peer>, Box<dyn StdError + Send + Sync>> {
        if let Some(entry) = self.entries.iter().find(|entry| entry.did == *did) {
            return entry.allowed.then(|| entry.peer()).transpose();
        }
        let was = |peer: &Peer| {
            peer.chain().is_some_and(|chain| chain.dids().any(|earlier| earlier == did))
        };
        Ok(self.peers()?.into_iter().find(was))
    }

    pub(super) fn allow(&mut self, did: &Did, name: &str) -> Result<bool, BookError> {
        // A key that was handed over is not let in under its other DID either.
        for entry in &self.entries {
            if entry.chain()?.is_some_and(|chain| chain.supersedes(did.verifying_key())) {
                let (did, present) = (did.clone(), entry.did.clone());
                return Err(BookError::Replaced { did, present });
            }
        }
        match self.entries.iter_mut().find(|entry| entry.did == *did) {
            Some(entry) => {
                if !name.is_empty() {
                    name.clone_into(&mut entry.name);
                }
                Ok(!std::mem::replace(&mut entry.allowed, true))
            }
            None => {
                self.entries.push(Entry::new(did, name, true));
                Ok(true)
            }
        }
    }

    /// The entry of a DID, or of what its key has become by a chain that was followed.
    fn present(&mut self, did: &Did) -> Result<Option<&mut Entry>, BookError> {
        let mut at = self.entries.iter().position(|entry| entry.did == *did);
        if at.is_none() {
            for (index, entry) in self.entries.iter().enumerate() {
                if entry.chain()?.is_some_and(|chain| chain.supersedes(did.verifying_key())) {
                    at = Some(index);
                    break;
                }
            }
        }
        Ok(at.and_then(|at| self.entries.get_mut(at)))
    }

    pub(super) fn remove(&mut self, did: &Did) -> Result<Removed, BookError> {
        let Some(entry) = self.present(did)? else { return Ok(Removed::Nobody) };
        // It is not shown any more, and would take room.
        entry.name.clear();
        if std::mem::replace(&mut entry.allowed, false) {
            Ok(Removed::Peer { did: entry.did.clone() })
        } else {
            Ok(Removed::Nobody)
        }
    }

    /// Gives also every DID that the peer had.
    pub(super) fn forget(&mut self, did: &Did) -> Result<(Removed, Vec<Did>), BookError> {
        let mut dids = vec![did.clone()];
        let Some(entry) = self.present(did)? else { return Ok((Removed::Nobody, dids)) };
        let present = entry.did.clone();
        dids.push(present.clone());
        dids.extend(entry.chain()?.iter().flat_map(|chain| chain.dids().cloned()));
        self.entries.retain(|entry| entry.did != present);
        Ok((Removed::Peer { did: present }, dids))
    }

    pub(super) fn follow(&mut self, chain: &RotationChain) -> Result<Followed, BookError> {
        let present = chain.current();
        let mut led = Vec::new();
        for entry in &self.entries {
            match chain.leads_on(&entry.did, entry.chain()?.as_ref()) {
                Ok(()) => led.push(entry.clone()),
                // It is about others.
                Err(RotationError::NotInChain { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if led.is_empty() {
            return Ok(Followed::Nobody);
        }
        let there = led.iter().find(|entry| entry.did == *present);
        // Who was removed under the present DID stays so.
        let allowed = there.map_or_else(|| led.iter().any(|entry| entry.allowed), |at| at.allowed);
        let was_there = there.is_some();
        // The same keys by their other DIDs, which are not accepted beside it.
        let others = self.entries.iter().filter(|entry| {
            led.iter().all(|led| led.did != entry.did)
                && chain.supersedes(entry.did.verifying_key())
        });
        led.extend(others.cloned().collect::<Vec<_>>());
        let there = led.iter().filter(|entry| entry.did == *present);
        let name = entry::joined(there.chain(&led).map(|entry| entry.name.as_str()));
        let new = Entry::new(present, &name, allowed).with_chain(chain)?;
        let moved = led.len() > 1 || !was_there;
        // In the place of the first of them.
        let is_led = |entry: &Entry| led.iter().any(|led| led.did == entry.did);
        let at = self.entries.iter().take_while(|entry| !is_led(entry)).count();
        self.entries.retain(|entry| !is_led(entry));
        self.entries.insert(at, new);
        Ok(if moved { Followed::Moved { to: present.clone() } } else { Followed::Unchanged })
    }

    pub(super) fn follow_statement(
        &mut self,
        statement: RotationStatement,
    ) -> Result<Followed, BookError> {
        let old = statement.old().did();
        let Some(entry) = self.entries.iter().find(|entry| entry.did == *old) else {
            return Ok(Followed::Nobody);
        };
        let chain = match entry.chain()? {
            Some(known) => known.continued(statement)?,
            None => RotationChain::verify([statement])?,
        };
        self.follow(&chain)
    }
}
