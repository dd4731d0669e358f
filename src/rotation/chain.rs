//! All statements, from the first on.

use std::fmt;

use serde::{Serialize, Serializer};

use super::body::{Body, canonical};
use super::finding::sorted;
use super::statement::{Unverified, Versioned};
use super::{Fork, KeyCommitment, MAX_FILE_LEN, RotationError, RotationStatement};
use crate::algorithm::VerifyingKey;
use crate::did::Did;
use crate::encoding::objects;

/// A complete, verified history from a first key to the present one.
///
/// There is none that was not verified, and none that is empty: it comes from
/// [`Self::verify`] or [`Self::from_json`] only.
#[derive(Clone, PartialEq, Eq)]
pub struct RotationChain {
    before: Vec<RotationStatement>,
    last: RotationStatement,
}

/// One rotation in its chain.
#[derive(Debug, Clone, Copy)]
pub struct RotationStep<'a> {
    statement: &'a RotationStatement,
    was_committed: bool,
}

impl<'a> RotationStep<'a> {
    /// The statement.
    #[must_use]
    pub const fn statement(&self) -> &'a RotationStatement {
        self.statement
    }

    /// Whether the statement before it had committed to this new key. If not, a
    /// thief of the old key could have made this one. If so, that is worth
    /// something where the statement before was known before, or comes from the
    /// DID that is pinned or a later one: a thief can make both with a key of
    /// their own before the stolen one.
    #[must_use]
    pub const fn was_committed(&self) -> bool {
        self.was_committed
    }
}

impl RotationChain {
    /// Verifies statements as one chain. Their order does not matter, and one
    /// that is there twice counts once, so what comes from several places can
    /// be put together: that is how a fork is found.
    ///
    /// The chain must be complete, from sequence number 1. Each statement must
    /// name the one before by its hash, begin with the DID that it ended in, be
    /// no earlier, and honour its commitment; no key may come twice.
    ///
    /// # Errors
    ///
    /// [`RotationError::Fork`] if any key was rotated in two different ways,
    /// before anything else is looked at; then the first other thing that is
    /// wrong.
    pub fn verify(
        statements: impl IntoIterator<Item = RotationStatement>,
    ) -> Result<Self, RotationError> {
        let statements: Vec<_> = statements.into_iter().collect();
        let all = sorted(&statements);
        if let Some(fork) = Fork::find(&all) {
            return Err(RotationError::Fork(Box::new(fork)));
        }
        let mut chain: Option<Self> = None;
        for statement in all.into_iter().cloned() {
            chain = Some(match chain {
                None if statement.sequence() == 1 => Self { before: Vec::new(), last: statement },
                None => return Err(RotationError::Missing { sequence: 1 }),
                Some(chain) => chain.with(statement)?,
            });
        }
        chain.ok_or(RotationError::Empty)
    }

    /// Reads a chain: a JSON array of statements, at most [`MAX_FILE_LEN`] bytes.
    /// Verifies all signatures, then as [`Self::verify`].
    ///
    /// # Errors
    ///
    /// [`RotationError`] with the first thing that is wrong.
    pub fn from_json(json: &[u8]) -> Result<Self, RotationError> {
        Self::verify(Self::statements_from_json(json)?)
    }

    /// The statements of a file, each with its signatures verified, and not yet
    /// taken for a chain: to be put together with those of other files.
    ///
    /// # Errors
    ///
    /// As [`Self::from_json`].
    pub fn statements_from_json(json: &[u8]) -> Result<Vec<RotationStatement>, RotationError> {
        if json.len() > MAX_FILE_LEN {
            return Err(RotationError::TooLong { limit: MAX_FILE_LEN });
        }
        let versions: Vec<Versioned> = objects::from_slice(json).map_err(RotationError::json)?;
        versions.iter().try_for_each(Versioned::check)?;
        let statements: Vec<Unverified> = objects::from_slice(json).map_err(RotationError::json)?;
        statements.into_iter().map(Unverified::verify).collect()
    }

    /// Canonical JSON (RFC 8785): an array, the first statement first.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // As with a single statement: nothing here can fail.
        canonical(self).unwrap_or_default()
    }

    /// The chain with one more statement at its end.
    ///
    /// # Errors
    ///
    /// As [`Self::verify`].
    pub fn continued(&self, statement: RotationStatement) -> Result<Self, RotationError> {
        if statement.old().did() == self.current() {
            // The present key has made no other statement: there is no fork.
            return self.clone().with(statement);
        }
        Self::verify(self.statements().cloned().chain([statement]))
    }

    /// The DID that it starts from.
    #[must_use]
    pub fn first_did(&self) -> &Did {
        self.before.first().unwrap_or(&self.last).old().did()
    }

    /// The present DID.
    #[must_use]
    pub const fn current(&self) -> &Did {
        self.last.new_key().did()
    }

    /// The present DID of whoever was known under `pinned`.
    ///
    /// A pin follows forward only: it leads to the present DID from any DID of
    /// the chain, and from the present one to itself, never to an earlier one.
    /// Whoever follows should keep the whole chain, and ask of the next one
    /// whether it extends that ([`Self::extends`]). A DID that is pinned alone is
    /// not protected by what was committed to before it was pinned: a thief of
    /// its key leaves that statement out, and leads elsewhere.
    ///
    /// # Errors
    ///
    /// [`RotationError::NotInChain`] if `pinned` is not in it, letter for
    /// letter: the chain says nothing about it, and its present DID must not be
    /// trusted in its place.
    pub fn follow(&self, pinned: &Did) -> Result<&Did, RotationError> {
        if self.dids().any(|did| did == pinned) {
            Ok(self.current())
        } else {
            Err(RotationError::NotInChain { did: pinned.clone() })
        }
    }

    /// Every rotation, the first one first.
    pub fn steps(&self) -> impl Iterator<Item = RotationStep<'_>> {
        let committed = self.statements().map(|statement| statement.next_key().is_some());
        // A broken commitment has not got into a chain.
        self.statements()
            .zip(std::iter::once(false).chain(committed))
            .map(|(statement, was_committed)| RotationStep { statement, was_committed })
    }

    /// Every statement, the first one first.
    pub fn statements(&self) -> impl Iterator<Item = &RotationStatement> {
        self.before.iter().chain([&self.last])
    }

    /// Every DID, the first one first.
    pub fn dids(&self) -> impl Iterator<Item = &Did> {
        let new = self.statements().map(|statement| statement.new_key().did());
        std::iter::once(self.first_did()).chain(new)
    }

    /// Whether a key was handed over in it: that of an earlier DID, however that is
    /// written (`did:icn` and `did:key` of one key are two DIDs).
    #[cfg_attr(not(feature = "keystore"), allow(dead_code, reason = "asked by the book of peers"))]
    pub(crate) fn supersedes(&self, key: &VerifyingKey) -> bool {
        self.statements().any(|statement| statement.old().did().verifying_key() == key)
    }

    /// The key that alone can continue it, if its last statement says so.
    #[must_use]
    pub const fn commitment(&self) -> Option<&KeyCommitment> {
        self.last.next_key()
    }

    pub(crate) const fn last(&self) -> &RotationStatement {
        &self.last
    }

    fn with(mut self, statement: RotationStatement) -> Result<Self, RotationError> {
        let (sequence, expected) = (statement.sequence(), self.last.sequence() + 1);
        if sequence > expected {
            return Err(RotationError::Missing { sequence: expected });
        }
        if sequence < expected {
            // Not a fork: that would be of one key.
            return Err(RotationError::Unrelated {
                sequence,
                one: self.last.old().did().clone(),
                other: statement.old().did().clone(),
            });
        }
        if statement.previous_sha256() != Some(self.last.sha256()) {
            return Err(RotationError::Previous { sequence });
        }
        self.check_next(statement.body())?;
        self.before.push(std::mem::replace(&mut self.last, statement));
        Ok(self)
    }

    /// Whether a statement can come next, its hash and number apart.
    pub(super) fn check_next(&self, next: &Body) -> Result<(), RotationError> {
        let (sequence, new) = (next.sequence, next.new.did());
        if next.old.did() != self.current() {
            return Err(RotationError::Link {
                sequence,
                expected: self.current().clone(),
                found: next.old.did().clone(),
            });
        }
        if next.time < self.last.time() {
            return Err(RotationError::Time { sequence, by: self.last.time() - next.time });
        }
        if self.dids().any(|did| did.verifying_key() == new.verifying_key()) {
            return Err(RotationError::KeyTwice { sequence, did: new.clone() });
        }
        match self.commitment() {
            Some(key) if !key.is_to(new.verifying_key()) => {
                Err(RotationError::CommitmentBroken { sequence, did: new.clone() })
            }
            _ => Ok(()),
        }
    }
}

impl Serialize for RotationChain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.statements())
    }
}

impl fmt::Debug for RotationChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.dids()).finish()
    }
}
