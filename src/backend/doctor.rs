//! What a doctor says of a device, one requirement at a time.

use serde::Serialize;

use crate::algorithm::AlgorithmId;

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
    pub advice: Option<String>,
    /// The algorithm that the device has, where what is missing is another one.
    #[serde(skip)]
    pub instead: Option<AlgorithmId>,
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
    advice: &str,
) -> Verdict {
    let advice = (state != Outcome::Ok).then(|| advice.to_owned());
    Verdict { requirement, state, found: found.into(), advice, instead: None }
}

impl Verdict {
    /// What can be had in the place of what is missing.
    #[cfg_attr(
        not(any(feature = "pkcs11", feature = "tpm")),
        allow(dead_code, reason = "used by those backends")
    )]
    pub(super) fn instead(self, algorithm: AlgorithmId) -> Self {
        Self { instead: Some(algorithm), ..self }
    }
}
