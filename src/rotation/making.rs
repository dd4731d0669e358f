//! Making a statement: at the end of a chain, and signed by both keys.

use super::body::{Body, Kind};
use super::statement::{Signatures, Unverified};
use super::{
    MAX_STATEMENTS, RotatedKey, RotationChain, RotationError, RotationRole, RotationStatement,
    RotationTerms, VERSION,
};
use crate::clock;
use crate::did::Did;
use crate::signer::{DidSigner, sign_statement};

impl RotationStatement {
    /// **Blocks** while a device signs. Has both keys sign that `new` takes over from
    /// `old`. **Nobody remembers that `old` has done so**: two different statements of
    /// one old key are a [`Fork`](super::Fork), which peers refuse, and what was signed
    /// here and given out cannot be taken back.
    ///
    /// For keys without a store, where the caller keeps the one statement of each key
    /// before it is given out. Identities hand over by
    #[cfg_attr(
        feature = "keystore",
        doc = "[`IdentityStore::hand_over`](crate::keystore::IdentityStore::hand_over),"
    )]
    #[cfg_attr(not(feature = "keystore"), doc = "`IdentityStore::hand_over`,")]
    /// which makes one statement only.
    ///
    /// `previous` is the whole chain that ends in `old`; `None` only if `old` is
    /// nobody's successor.
    ///
    /// Provenance and assurance of both keys are computed from the evidence that
    /// this crate read. The new key signs first, so that nothing of the old one
    /// is about if the new one fails; both signatures are verified.
    ///
    /// The time is that of the terms, or of the statement before if that is
    /// later: one clock that was ahead must not end the chain.
    ///
    /// # Errors
    ///
    /// [`RotationError`] if the clock was not set, the keys are the same, the chain does
    /// not end in `old`, has `new` in it already, is committed to another key, or a key does
    /// not sign.
    pub fn sign_unguarded<O, N>(
        old: &O,
        new: &N,
        previous: Option<&RotationChain>,
        terms: &RotationTerms,
    ) -> Result<Self, RotationError>
    where
        O: DidSigner + ?Sized,
        N: DidSigner + ?Sized,
    {
        let (old_did, new_did) = (pinned(old)?, pinned(new)?);
        terms.check_clock()?;
        let time = clock::unix(terms.time);
        let last = previous.map(RotationChain::last);
        let body = Body {
            kind: Kind::Rotation,
            version: VERSION,
            sequence: last.map_or(1, |last| last.sequence().saturating_add(1)),
            time: last.map_or(time, |last| time.max(last.time())),
            reason: terms.reason,
            old: RotatedKey::of(old_did, old),
            new: RotatedKey::of(new_did, new),
            previous_sha256: last.map(|last| last.digest),
            next_key_sha256: terms.next,
        };
        if body.sequence > MAX_STATEMENTS {
            return Err(RotationError::TooMany);
        }
        body.check()?;
        if let Some(chain) = previous {
            chain.check_next(&body)?;
        }
        check_commitment(&body, previous)?;
        let mut signatures = Signatures { old: [0; 64], new: [0; 64] };
        signatures.new = signature(new, &body, RotationRole::New)?;
        signatures.old = signature(old, &body, RotationRole::Old)?;
        Unverified { statement: body, signatures }.verify()
    }
}

impl RotationTerms {
    /// Whether their time is that of a clock that was set. Whoever signs on these terms
    /// asks as well.
    ///
    /// # Errors
    ///
    /// [`RotationError::ClockNotSet`].
    pub fn check_clock(&self) -> Result<(), RotationError> {
        clock::check(self.time).map_err(|now| RotationError::ClockNotSet { now })
    }
}

impl RotationStatement {
    /// Whether this statement, which was made before, is the one that these terms ask for.
    /// Its time is its own.
    ///
    /// # Errors
    ///
    /// [`RotationError::StatedBefore`] says what was stated.
    pub fn check_terms(&self, terms: &RotationTerms) -> Result<(), RotationError> {
        let (reason, next_key) = (self.reason(), self.next_key().copied());
        if (reason, next_key) == (terms.reason, terms.next) {
            return Ok(());
        }
        let (did, to) = (self.old().did().clone(), self.new_key().did().clone());
        let (time, asked) = (self.time(), Box::new(terms.clone()));
        Err(RotationError::StatedBefore { did, to, reason, next_key, time, asked })
    }
}

/// The DID, which must be that of the key that the signer shows.
fn pinned<S: DidSigner + ?Sized>(signer: &S) -> Result<Did, RotationError> {
    let did = signer.did().clone();
    if did.verifying_key() == signer.verifying_key() {
        Ok(did)
    } else {
        Err(RotationError::DidIsNotItsKey { did })
    }
}

/// A commitment to a key that was there before could never be honoured.
fn check_commitment(body: &Body, previous: Option<&RotationChain>) -> Result<(), RotationError> {
    let Some(next) = &body.next_key_sha256 else { return Ok(()) };
    let before = previous.into_iter().flat_map(RotationChain::dids);
    let mut used = before.chain([body.old.did(), body.new.did()]);
    match used.find(|did| next.is_to(did.verifying_key())) {
        Some(did) => Err(RotationError::CommitmentToUsedKey { did: did.clone() }),
        None => Ok(()),
    }
}

fn signature<S: DidSigner + ?Sized>(
    signer: &S,
    body: &Body,
    role: RotationRole,
) -> Result<[u8; 64], RotationError> {
    let fail = |source| RotationError::Sign { role, source };
    let signature = sign_statement(signer, &body.signed_by(role)?).map_err(fail)?;
    // Signers written elsewhere may give either `s`. Verified by the caller.
    signature.to_low_s().map(|signature| *signature.as_bytes()).map_err(|bad| fail(bad.into()))
}
