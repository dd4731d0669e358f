//! What a doctor says of a device, one requirement at a time.

use serde::Serialize;

/// Whether a requirement is met, and what to do if not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// What is required.
    pub requirement: &'static str,
    /// Whether it is met.
    pub state: Outcome,
    /// What was found.
    pub found: String,
    /// What to do.
    pub advice: Option<&'static str>,
}

/// Whether a requirement is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// It is.
    Ok,
    /// An identity works here, with a restriction.
    Warning,
    /// No identity works here.
    Fail,
}

#[cfg_attr(
    not(any(feature = "pkcs11", feature = "tpm")),
    allow(dead_code, reason = "used by those backends")
)]
pub(super) fn verdict(
    requirement: &'static str,
    state: Outcome,
    found: impl Into<String>,
    advice: &'static str,
) -> Verdict {
    let advice = (state != Outcome::Ok).then_some(advice);
    Verdict { requirement, state, found: found.into(), advice }
}
