//! Whether a chain goes on from one that was followed before.

use super::finding::sorted;
use super::{Fork, RotationChain, RotationError, RotationStatement};
use crate::did::Did;

impl RotationChain {
    /// Whether this chain leads on from a DID that is pinned; `known` is the chain that
    /// was followed to it.
    pub(crate) fn leads_on(&self, did: &Did, known: Option<&Self>) -> Result<(), RotationError> {
        match known {
            Some(known) => self.extends(known),
            None => self.follow(did).map(drop),
        }
    }

    /// Whether this chain goes on from `known`, or is the same: whether it
    /// begins with exactly its statements.
    ///
    /// A commitment stands in the statement by which the present key took over.
    /// A thief of that key can leave the statement out, or make another one, and
    /// begin a chain of their own with it, which is complete and verifies. Only
    /// who has kept the statement can tell. So whoever followed a chain keeps the
    /// chain, and not only the DID in which it ended, and lets no other lead on
    /// than one that extends it.
    ///
    /// ```
    /// use icn_identity::rotation::{KeyCommitment, RotationError, RotationReason, RotationTerms};
    /// use icn_identity::{Key, RotationChain, RotationStatement, Software, Unlocked};
    ///
    /// let keys: [Key<Software, Unlocked>; 4] =
    ///     [Key::generate()?, Key::generate()?, Key::generate()?, Key::generate()?];
    /// let [old, new, after, thief] = &keys;
    /// let terms = RotationTerms::new(RotationReason::Scheduled);
    ///
    /// let committing = terms.clone().commit_to(KeyCommitment::to(after.verifying_key()));
    /// let known = RotationChain::verify([RotationStatement::sign_unguarded(old, new, None, &committing)?])?;
    ///
    /// // With the key of `new`, and without the statement that commits.
    /// let evil = RotationChain::verify([RotationStatement::sign_unguarded(new, thief, None, &terms)?])?;
    /// assert_eq!(evil.follow(new.did())?, thief.did());
    /// assert!(matches!(evil.extends(&known), Err(RotationError::CommitmentBroken { .. })));
    ///
    /// let owners = known.continued(RotationStatement::sign_unguarded(new, after, Some(&known), &terms)?)?;
    /// owners.extends(&known)?;
    /// # Ok::<(), icn_identity::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RotationError::Fork`] if both together rotate a key in two ways;
    /// [`RotationError::CommitmentBroken`] if this one rotates the present key of
    /// `known` to another than it had committed to;
    /// [`RotationError::NotInChain`] if the present DID of `known` is not in it,
    /// as when its end was cut off; [`RotationError::NotAContinuation`] if it is,
    /// by other statements.
    pub fn extends(&self, known: &Self) -> Result<(), RotationError> {
        // By their hashes: the same words signed again are the same statement.
        let mut ours = self.statements().map(RotationStatement::sha256);
        if known.statements().all(|statement| ours.next() == Some(statement.sha256())) {
            return Ok(());
        }
        if let Some(fork) = Fork::find(&sorted(known.statements().chain(self.statements()))) {
            return Err(RotationError::Fork(Box::new(fork)));
        }
        let present = known.current();
        if let Some(key) = known.commitment() {
            let by_present = |statement: &&RotationStatement| {
                statement.old().did().verifying_key() == present.verifying_key()
            };
            if let Some(next) = self.statements().find(by_present)
                && !key.is_to(next.new_key().did().verifying_key())
            {
                let (sequence, did) = (next.sequence(), next.new_key().did().clone());
                return Err(RotationError::CommitmentBroken { sequence, did });
            }
        }
        self.follow(present)?;
        Err(RotationError::NotAContinuation { did: present.clone() })
    }
}
