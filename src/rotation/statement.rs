//! One statement, with both signatures.

use std::fmt;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize, Serializer};

use super::body::{Body, Digest, Kind, canonical};
use super::{
    KeyCommitment, MAX_STATEMENTS, RotatedKey, RotationChain, RotationError, RotationReason,
    RotationRole, RotationTerms, VERSION,
};
use crate::algorithm::Signature;
use crate::did::Did;
use crate::encoding::base64;
use crate::signer::{DidSigner, sign_statement};

/// No statement by itself is longer, in bytes.
const MAX_LEN: usize = 4096;

/// That the holder of one DID goes on under another, signed by both keys.
///
/// There is none whose signatures were not verified: it is signed here, or read
/// by [`Self::from_json`]. What it says of the statements before it is verified
/// by [`RotationChain`].
#[derive(Clone, PartialEq, Eq)]
pub struct RotationStatement {
    body: Body,
    signatures: Signatures,
    digest: Digest,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signatures {
    #[serde(with = "base64")]
    old: [u8; 64],
    #[serde(with = "base64")]
    new: [u8; 64],
}

/// As it is read: nothing is verified.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unverified {
    statement: Body,
    signatures: Signatures,
}

/// The one field that is read before all others.
#[derive(Deserialize)]
pub(super) struct Versioned {
    statement: Version,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

impl Versioned {
    pub(super) const fn check(&self) -> Result<(), RotationError> {
        match self.statement.version {
            VERSION => Ok(()),
            found => Err(RotationError::Version { found }),
        }
    }
}

impl RotationStatement {
    /// Has both keys sign that `new` takes over from `old`.
    ///
    /// `previous` is the whole chain that ends in `old`; `None` only if `old` is
    /// nobody's successor. Two different statements of one old key are a
    /// [`Fork`](super::Fork), which peers refuse: what was signed here and
    /// handed out cannot be taken back.
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
    /// [`RotationError`] if the keys are the same, the chain does not end in
    /// `old`, has `new` in it already, is committed to another key, or a key does
    /// not sign.
    pub fn sign<O, N>(
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
        let time = terms.time.duration_since(UNIX_EPOCH);
        let time = time.map_err(|_| RotationError::OutOfRange { what: "time" })?.as_secs();
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

    /// Reads one statement (JSON, as [`Self::to_json`] writes it) and verifies
    /// both signatures.
    ///
    /// # Errors
    ///
    /// [`RotationError`] with the first thing that is wrong.
    pub fn from_json(json: &[u8]) -> Result<Self, RotationError> {
        if json.len() > MAX_LEN {
            return Err(RotationError::TooLong { limit: MAX_LEN });
        }
        serde_json::from_slice::<Versioned>(json).map_err(RotationError::Format)?.check()?;
        serde_json::from_slice::<Unverified>(json).map_err(RotationError::Format)?.verify()
    }

    /// Canonical JSON (RFC 8785).
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Strings and small numbers in structs: nothing here can fail.
        canonical(self).unwrap_or_default()
    }

    /// The key that hands over.
    #[must_use]
    pub const fn old(&self) -> &RotatedKey {
        &self.body.old
    }

    /// The key that takes over.
    #[must_use]
    pub const fn new_key(&self) -> &RotatedKey {
        &self.body.new
    }

    /// Its place in the chain: 1 for the first.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.body.sequence
    }

    /// When, in Unix seconds, by the clock of the machine that signed; or the
    /// time of the statement before, where that is later.
    #[must_use]
    pub const fn time(&self) -> u64 {
        self.body.time
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> RotationReason {
        self.body.reason
    }

    /// The key that alone can come after the new one, if that was said.
    #[must_use]
    pub const fn next_key(&self) -> Option<&KeyCommitment> {
        self.body.next_key_sha256.as_ref()
    }

    /// SHA-256 of the canonical form without signatures: what the next statement
    /// names this one by.
    #[must_use]
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.digest.0
    }

    /// [`Self::sha256`] of the statement before it.
    #[must_use]
    pub fn previous_sha256(&self) -> Option<&[u8; 32]> {
        self.body.previous_sha256.as_ref().map(|digest| &digest.0)
    }

    pub(super) const fn body(&self) -> &Body {
        &self.body
    }
}

impl Unverified {
    pub(super) fn verify(self) -> Result<RotationStatement, RotationError> {
        let Self { statement: body, signatures } = self;
        body.check()?;
        for (role, bytes) in
            [(RotationRole::Old, signatures.old), (RotationRole::New, signatures.new)]
        {
            let did = body.key(role).did();
            let signature = Signature::from_bytes(did.verifying_key().algorithm(), bytes);
            did.verifying_key().verify_strict(&body.signed_by(role)?, &signature).map_err(
                |_| RotationError::Signature { sequence: body.sequence, role, did: did.clone() },
            )?;
        }
        let digest = body.digest()?;
        Ok(RotationStatement { body, signatures, digest })
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

impl Serialize for RotationStatement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Whole<'a> {
            statement: &'a Body,
            signatures: &'a Signatures,
        }
        Whole { statement: &self.body, signatures: &self.signatures }.serialize(serializer)
    }
}

impl fmt::Debug for RotationStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotationStatement")
            .field("sequence", &self.sequence())
            .field("old", self.old().did())
            .field("new", self.new_key().did())
            .field("sha256", &self.digest)
            .finish_non_exhaustive()
    }
}
