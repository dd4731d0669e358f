//! One key that was rotated in two ways.

use std::fmt;

use super::RotationReason;
use crate::did::Did;
use crate::encoding::hex;

/// Two or more different statements by which one key handed over. All of them
/// have valid signatures: the old key made each.
///
/// Which of them is the owner's cannot be told from the statements. One that
/// honours a commitment has more for it than one that does not; that too is for
/// a person to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    pub(super) old: Did,
    pub(super) branches: Vec<Branch>,
}

/// One way in which the key was rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    pub(super) new: Did,
    pub(super) sequence: u64,
    pub(super) time: u64,
    pub(super) reason: RotationReason,
    pub(super) sha256: [u8; 32],
    pub(super) honours_commitment: Option<bool>,
}

impl Fork {
    /// The DID whose key was rotated more than once.
    #[must_use]
    pub const fn old(&self) -> &Did {
        &self.old
    }

    /// At least two, by sequence number and hash.
    #[must_use]
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }
}

impl Branch {
    /// The DID that the key was rotated to.
    #[must_use]
    pub const fn new_did(&self) -> &Did {
        &self.new
    }

    /// The sequence number of the statement: its place in the chain, 1 for the first.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The time that the statement gives, Unix seconds.
    #[must_use]
    pub const fn time(&self) -> u64 {
        self.time
    }

    /// The reason that the statement gives.
    #[must_use]
    pub const fn reason(&self) -> RotationReason {
        self.reason
    }

    /// [`RotationStatement::sha256`](super::RotationStatement::sha256).
    #[must_use]
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Whether the new key is the one that the statement before had committed
    /// to; `None` if it had committed to none, or is not there.
    #[must_use]
    pub const fn honours_commitment(&self) -> Option<bool> {
        self.honours_commitment
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key of {} was rotated in {} ways", self.old, self.branches.len())?;
        for (index, branch) in self.branches.iter().enumerate() {
            write!(f, "{} {branch}", if index == 0 { ":" } else { "; and" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = hex::encode(self.sha256.get(..8).unwrap_or_default());
        write!(f, "to {} (number {}, statement {short}…", self.new, self.sequence)?;
        f.write_str(match self.honours_commitment {
            Some(true) => ", as committed to)",
            Some(false) => ", AGAINST the commitment)",
            None => ", no commitment)",
        })
    }
}
