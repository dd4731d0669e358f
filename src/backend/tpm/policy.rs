//! Digests of policies, computed here: what a policy session must arrive at
//! (TPM 2.0 Library, part 3, section 23).
//!
//! A policy of ours is one of
//!
//! ```text
//! literal      PolicyPCR, or PolicyOR(PolicyPCR now, PolicyPCR to come)
//! authorized   PolicyOR(PolicyPCR now, [PolicyPCR to come,] PolicyAuthorize)
//! ```
//!
//! or nothing, then `PolicyAuthValue` where there is a PIN.

use sha2::{Digest as _, Sha256};

use super::approver;
use crate::algorithm::P256VerifyingKey;
use crate::backend::{Authorized, PcrValues, TpmPolicy};

const ZERO: [u8; 32] = [0; 32];
const CC_POLICY_AUTHORIZE: u32 = 0x16a;
const CC_POLICY_AUTH_VALUE: u32 = 0x16b;
const CC_POLICY_OR: u32 = 0x171;
const CC_POLICY_PCR: u32 = 0x17f;

fn extend(old: &[u8; 32], code: u32, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(old);
    hash.update(code.to_be_bytes());
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// The digest after `PolicyPCR` in a new session: what an approver approves.
/// `None` if these are no values.
pub(super) fn pcr_digest(values: &PcrValues) -> Option<[u8; 32]> {
    let digest = values.digest().filter(|_| values.is_valid())?;
    Some(extend(&ZERO, CC_POLICY_PCR, &[&values.marshalled_selection(), &digest]))
}

/// The digest after `PolicyAuthorize`, whatever was approved.
pub(super) fn authorized_digest(authorized: &Authorized) -> Option<[u8; 32]> {
    let key = P256VerifyingKey::from_bytes(&authorized.approver).ok()?;
    let digest = extend(&ZERO, CC_POLICY_AUTHORIZE, &[&approver::name(&key)?]);
    Some(Sha256::new_with_prefix(digest).chain_update(authorized.policy_ref).finalize().into())
}

/// The digests of each way, where there are several: one for each literal
/// state, then that of `PolicyAuthorize`. At most eight (`TPML_DIGEST`).
pub(super) fn branches(policy: &TpmPolicy) -> Option<Vec<[u8; 32]>> {
    let mut branches: Vec<[u8; 32]> = policy.pcr.iter().map(pcr_digest).collect::<Option<_>>()?;
    if let Some(authorized) = &policy.authorized {
        branches.push(authorized_digest(authorized)?);
    }
    (branches.len() <= 8).then_some(branches)
}

/// The digest of a whole policy: an object's `authPolicy`. `None` if it is not
/// one of ours, or protects nothing.
pub(super) fn digest(policy: &TpmPolicy) -> Option<[u8; 32]> {
    let platform = match (branches(policy)?.as_slice(), policy.pcr.is_empty()) {
        ([], _) if policy.pin.is_none() => return None,
        ([], _) => ZERO,
        (_, true) => return None,
        ([only], _) => *only,
        (several, _) => extend(&ZERO, CC_POLICY_OR, &[several.as_flattened()]),
    };
    Some(match policy.pin {
        None => platform,
        Some(_) => extend(&platform, CC_POLICY_AUTH_VALUE, &[]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{PcrBank, PinStretching};

    /// PCR 7 has this byte in every place.
    fn state(byte: u8) -> PcrValues {
        let values = [(7, format!("{byte:02x}").repeat(32))].into();
        PcrValues { bank: PcrBank::Sha256, values }
    }

    fn authorized() -> Authorized {
        let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let point = key.verifying_key().to_sec1_point(true);
        let approver = point.as_bytes().try_into().unwrap();
        Authorized { approver, policy_ref: [1; 32], owner: None }
    }

    /// The digest of none would open to everybody.
    #[test]
    fn a_policy_that_protects_nothing_or_is_not_one_of_ours_has_no_digest() {
        let pin = Some(PinStretching { salt: [1; 16], log_n: 10 });
        let policy = |pcr: Vec<PcrValues>, authorized, pin| TpmPolicy { pcr, authorized, pin };
        assert!(digest(&policy(vec![], None, None)).is_none(), "neither state nor PIN");
        assert!(digest(&policy(vec![], Some(authorized()), None)).is_none());
        assert!(digest(&policy(vec![], Some(authorized()), pin.clone())).is_none());
        let nothing = PcrValues { bank: PcrBank::Sha256, values: [].into() };
        assert!(digest(&policy(vec![nothing], None, pin.clone())).is_none(), "of no register");
        let nine = || (0..9).map(state).collect::<Vec<_>>();
        assert!(digest(&policy(nine(), None, None)).is_none(), "more than a TPM takes");
        let eight = nine().into_iter().skip(1).collect::<Vec<_>>();
        assert!(digest(&policy(eight.clone(), None, None)).is_some());
        assert!(digest(&policy(eight, Some(authorized()), None)).is_none());
        // No two of these open each other.
        let all = [
            policy(vec![], None, pin.clone()),
            policy(vec![state(0)], None, None),
            policy(vec![state(0)], None, pin.clone()),
            policy(vec![state(1)], None, pin.clone()),
            policy(vec![state(0), state(1)], None, pin.clone()),
            policy(vec![state(0)], Some(authorized()), pin),
        ];
        let digests: std::collections::BTreeSet<_> =
            all.iter().map(|policy| digest(policy).unwrap()).collect();
        assert_eq!(digests.len(), all.len());
    }
}
