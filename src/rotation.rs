//! One key takes over from another: statements, and the chain that they form.
//!
//! A DID of this crate *is* its public key, so another key is another DID. A
//! [`RotationStatement`] says that the holder of one DID goes on under the
//! next, and is signed by both keys. Each names its predecessor by hash; all of
//! them, from the first on, are a [`RotationChain`], which anybody verifies
//! offline. The format, byte by byte, and the procedures are in
//! `docs/rotation.md`.
//!
//! Identities hand over by `IdentityStore::hand_over`, once. Of keys without a store the
//! caller keeps the one statement that each has made:
//!
//! ```
//! use icn_identity::rotation::{RotationReason, RotationTerms};
//! use icn_identity::{Key, RotationChain, RotationStatement, Software, Unlocked};
//!
//! let old = Key::<Software, Unlocked>::generate()?;
//! let new = Key::<Software, Unlocked>::generate()?;
//! let terms = RotationTerms::new(RotationReason::Scheduled);
//! let statement = RotationStatement::sign_unguarded(&old, &new, None, &terms)?;
//!
//! let published = RotationChain::verify([statement])?.to_json();
//! let chain = RotationChain::from_json(&published)?;
//! assert_eq!(chain.follow(old.did())?, new.did());
//! # Ok::<(), icn_identity::Error>(())
//! ```
//!
//! # What it proves
//!
//! That whoever had the old key, and whoever had the new one, agreed to the
//! rotation. **Not** that it was the owner: without a commitment to the next key
//! made in advance ([`RotationTerms::commit_to`]), a thief of the old key can
//! rotate as well as the owner. Where both did, and both statements are seen,
//! that is a [`Fork`]: it is reported and never resolved here. And a commitment
//! binds only those who know it: whoever followed a chain keeps it, and follows
//! from then on only what goes on from it ([`RotationChain::extends`]). Nor does a
//! chain prove that it is the newest: whoever hands it over can leave out its end.

mod body;
mod chain;
mod continuation;
mod error;
mod finding;
mod fork;
mod making;
mod reason;
mod statement;
mod stored;
mod terms;

pub use body::RotatedKey;
pub use chain::{RotationChain, RotationStep};
pub use error::RotationError;
pub use fork::{Branch, Fork};
pub use reason::{RotationReason, RotationRole};
pub use statement::RotationStatement;
pub(crate) use stored::StoredChain;
pub use terms::{KeyCommitment, RotationTerms};

/// The version of statements that this crate writes and reads.
pub const VERSION: u64 = 1;

/// No chain has more statements: one a week for nearly ten years.
pub const MAX_STATEMENTS: u64 = 512;

/// No file with a chain is longer: 512 KiB. [`MAX_STATEMENTS`] of the longest
/// fit.
pub const MAX_FILE_LEN: usize = 512 * 1024;

/// 9999-12-31T23:59:59Z: the last second that RFC 3339 can write.
const MAX_TIME: u64 = 253_402_300_799;

#[cfg(test)]
mod tests;
