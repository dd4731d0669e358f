//! A token that makes no key: whether one is there.

use super::MAKES;
use crate::algorithm::AlgorithmId;
use crate::backend::doctor::{Outcome, Remedy, Verdict, verdict};

pub(super) const ELSEWHERE: &str = "a firmware update or another configuration of the token may bring it; \
                         else use another token";

pub(super) fn p256(requirement: &'static str, found: String) -> Verdict {
    verdict(requirement, Outcome::Warning, found, "Ed25519 absent: use a P-256 key")
        .remedied_by(Remedy::Algorithm(AlgorithmId::P256))
}

/// To somebody who has no identity here yet.
pub(super) const MAKE_THEN_ADOPT: &str =
    "make a key with the token's own tool, then adopt it; or use another token";
pub(super) const UNPROTECT: &str =
    "take the protection off, by its switch or its own tool; or use another token";

/// A token that makes no key is fit if there are some.
pub(super) fn there(requirement: &'static str, found: String, keys: usize) -> Verdict {
    match keys {
        0 => verdict(
            requirement,
            Outcome::Fail,
            format!("{found}; and there is no key that an identity can have"),
            MAKE_THEN_ADOPT,
        ),
        1 => adopt(requirement, format!("{found}; one key is there")),
        keys => adopt(requirement, format!("{found}; {keys} keys are there")),
    }
}

/// Nor can its own tool make one then.
pub(super) fn write_protected(found: String, keys: usize) -> Verdict {
    match keys {
        0 => verdict(
            MAKES,
            Outcome::Fail,
            format!("{found}; and there is no key that an identity can have"),
            UNPROTECT,
        ),
        _ => verdict(
            MAKES,
            Outcome::Warning,
            found,
            "take the protection off, by its switch or its own tool; or use a key that is there: \
             try it, then adopt it",
        )
        .remedied_by(Remedy::Adopt),
    }
}

pub(super) fn adopt(requirement: &'static str, found: String) -> Verdict {
    let advice = "use a key that is there: try it, then adopt it";
    verdict(requirement, Outcome::Warning, found, advice).remedied_by(Remedy::Adopt)
}
