//! A PCR that differs.

use std::fmt;

/// A register whose value is not the one that a policy wants.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct PcrDifference {
    /// The bank.
    pub bank: &'static str,
    /// The index, 0 to 23.
    pub index: u8,
    /// The value that is wanted, hex.
    pub expected: String,
    /// The value that is there, hex.
    pub found: String,
}

impl fmt::Display for PcrDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |value: &str| value.get(..12).unwrap_or(value).to_owned();
        let (expected, found) = (short(&self.expected), short(&self.found));
        write!(f, "PCR {} ({}) is {found}…, wanted {expected}…", self.index, self.bank)
    }
}
