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
    /// What does as advised, where that is one thing.
    #[serde(skip)]
    pub remedy: Option<Remedy>,
}

/// What does as a verdict advises, for whoever has a name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// A key of this algorithm.
    Algorithm(AlgorithmId),
    /// A key that is on the device already: `IdentityStore::adopt`.
    Adopt,
    /// A probe that may make a lasting key: `ProbeOptions::with_lasting_key`.
    LastingProbe,
    /// One of several tokens: `Pkcs11Config::with_token`.
    NameToken,
    /// A public key that was deleted: `LoggedIn::write_public_key`.
    WritePublicKey,
    /// What a probe has left: the token's own tool.
    RemoveProbeKeys,
    /// A key that its token does not show any more, and never will: `Home::relocate_within_login`
    /// with this as `key`.
    RecordNotShown {
        /// The token, as a URI.
        uri: String,
    },
    /// A key that is elsewhere now, or under another label: `IdentityStore::relocate`.
    Relocate,
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
    Verdict { requirement, state, found: found.into(), advice, remedy: None }
}

impl Verdict {
    /// Puts later verdicts in the place of those on the same requirement, and others at
    /// the end.
    pub fn put_in_place(verdicts: &mut Vec<Self>, later: impl IntoIterator<Item = Self>) {
        for verdict in later {
            match verdicts.iter_mut().find(|old| old.requirement == verdict.requirement) {
                Some(old) => *old = verdict,
                None => verdicts.push(verdict),
            }
        }
    }

    /// What does as advised.
    #[cfg_attr(
        not(any(feature = "pkcs11", feature = "tpm")),
        allow(dead_code, reason = "used by those backends")
    )]
    pub(super) fn remedied_by(self, remedy: Remedy) -> Self {
        Self { remedy: Some(remedy), ..self }
    }
}
