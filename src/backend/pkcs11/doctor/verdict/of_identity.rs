//! What is said of a token that makes no key, to whoever has an identity with a key on it.

use super::super::advice::IDENTITYS_KEY;
use super::there::{MAKE_THEN_ADOPT, UNPROTECT};
use crate::backend::doctor::{Outcome, Remedy, Verdict};
use crate::did::Did;

/// Advice on new keys as it is for the identity whose key was looked for on the token: no
/// other key is to be made or adopted. Where no key was looked for, the token is for another
/// identity, and nothing is changed.
pub fn by_its_identity(verdicts: &mut [Verdict], did: &Did) {
    let key = verdicts.iter().find(|verdict| verdict.requirement == IDENTITYS_KEY);
    let Some(is_there) = key.map(|verdict| verdict.state != Outcome::Fail) else { return };
    let advice = if is_there { HAS_ITS_KEY } else { FIRST_ITS_KEY };
    for verdict in verdicts.iter_mut().filter(|verdict| is_about_a_new_key(verdict, did)) {
        verdict.remedy = None;
        verdict.advice = Some(advice.into());
    }
}

fn is_about_a_new_key(verdict: &Verdict, did: &Did) -> bool {
    match &verdict.remedy {
        Some(Remedy::Adopt) => true,
        Some(Remedy::Algorithm(algorithm)) => *algorithm == did.verifying_key().algorithm(),
        Some(_) => false,
        None => {
            let advice = verdict.advice.as_deref();
            advice.is_some_and(|advice| [MAKE_THEN_ADOPT, UNPROTECT].contains(&advice))
        }
    }
}

const HAS_ITS_KEY: &str =
    "do nothing: the identity here has its key on this token, and needs no other";
const FIRST_ITS_KEY: &str =
    "see to the identity's key, of which more is said: another key is another identity";
