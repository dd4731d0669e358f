//! What it means whether the identity's own key is there, and what is said of it.

use super::super::ModuleReport;
use super::super::advice::{IDENTITYS_KEY, IDENTITYS_STORAGE, NAMED_KEY, unseen};
use super::super::known::{KnownKeyReport, Opens};
use crate::backend::doctor::{Outcome, Verdict, verdict};
use crate::did::Did;
use crate::evidence::{Fact, ProvenanceKind, Word};

/// Of a key that its token may show within a login only.
#[must_use]
pub fn hidden() -> Verdict {
    unseen(NAMED_KEY)
}

impl KnownKeyReport {
    /// Whether the token claims of it what its history does not allow: a no has become
    /// a yes, or it is `hardware` now and was not.
    #[must_use]
    pub fn is_claimed_too_much(&self) -> bool {
        let hardware = self.provenance == Some(ProvenanceKind::Hardware);
        let mut said = self.more_than_before.iter().filter(|claim| claim.word != Word::Nobody);
        said.any(|claim| claim.before == Fact::False || hardware)
    }

    pub(in super::super) fn verdict(&self) -> Verdict {
        let requirement = if self.is_identitys { IDENTITYS_KEY } else { NAMED_KEY };
        let Some(provenance) = self.provenance else {
            let problem = self.problem.clone().unwrap_or_default();
            let advice = self.advice.clone().unwrap_or_default();
            let failed = verdict(requirement, Outcome::Fail, problem, &advice);
            return match &self.remedy {
                Some(remedy) => failed.remedied_by(remedy.clone()),
                None => failed,
            };
        };
        let claims: Vec<_> = self
            .more_than_before
            .iter()
            .map(|claim| format!("{} (was {})", claim.name, claim.before))
            .collect();
        let claims = claims.join(", ");
        if self.is_claimed_too_much() {
            return verdict(
                requirement,
                Outcome::Fail,
                format!(
                    "it signs, and the token claims more of it than it did: {provenance} by {claims}"
                ),
                "nothing that happens to a key makes these true: find out what has changed, the \
                 token, its module or what stands between; the identity stays as it was written",
            );
        }
        if !claims.is_empty() {
            return verdict(
                requirement,
                Outcome::Warning,
                format!("it signs; the token says more of it than it did: {claims}; {provenance}"),
                "see whether module, firmware or configuration were changed",
            );
        }
        verdict(requirement, Outcome::Ok, format!("it signs; {provenance}"), "")
    }

    pub(in super::super) fn storage_verdict(&self) -> Option<Verdict> {
        Some(match self.storage_key.as_ref()? {
            Opens::Yes => verdict(IDENTITYS_STORAGE, Outcome::Ok, "the token opens it", ""),
            Opens::No(said) => verdict(
                IDENTITYS_STORAGE,
                Outcome::Fail,
                said,
                "without it the token opens the key and not the identity: restore it from a backup",
            ),
        })
    }
}

impl ModuleReport {
    /// Whether the selected token shows the key of a DID, of which nothing else is known.
    #[must_use]
    pub fn shows_key_of(&self, did: &Did) -> Verdict {
        let keys = self.selected().map(|token| &token.keys);
        let shown = keys.is_some_and(|keys| keys.iter().any(|key| key.did.as_ref() == Some(did)));
        if shown {
            let seen = "the token shows its public key; the private key was not looked for";
            return verdict(IDENTITYS_KEY, Outcome::Ok, seen, "");
        }
        if self.selected().is_some_and(|token| !token.shows_public_keys) {
            return verdict(
                IDENTITYS_KEY,
                Outcome::Warning,
                format!(
                    "the token shows no public key without a login, so that of {did} was not seen"
                ),
                "the identity's files say where it is: restore them",
            );
        }
        verdict(
            IDENTITYS_KEY,
            Outcome::Fail,
            format!("the token does not show the key of {did}, which the configuration pins"),
            "find the token that has it",
        )
    }
}

/// That an attempt to make an identity was cut off, and has left objects.
#[must_use]
pub fn unfinished(objects: &str) -> Verdict {
    verdict(
        "nothing is unfinished",
        Outcome::Warning,
        format!("an identity that was begun may have left objects on {objects}"),
        "make the identity again with that token: what is left there is removed first",
    )
}
