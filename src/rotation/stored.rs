//! The chain inside an identity's payload.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RotationChain, RotationError};

/// The field `rotation_chain`. What older programs put there is carried along
/// and never taken for a statement.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct StoredChain(Vec<Value>);

/// Nobody knows what older programs put there.
impl fmt::Debug for StoredChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredChain").field("values", &self.0.len()).finish_non_exhaustive()
    }
}

impl StoredChain {
    /// The chain, verified as if it came from a stranger.
    pub(crate) fn read(&self) -> Result<Option<RotationChain>, RotationError> {
        let ours: Vec<&Value> = self.0.iter().filter(|value| is_ours(value)).collect();
        if ours.is_empty() {
            return Ok(None);
        }
        let json = serde_json::to_vec(&ours).map_err(RotationError::json)?;
        RotationChain::from_json(&json).map(Some)
    }

    /// With another chain in the place of ours.
    pub(crate) fn with(self, chain: &RotationChain) -> Result<Self, RotationError> {
        let mut values: Vec<Value> = self.0.into_iter().filter(|value| !is_ours(value)).collect();
        for statement in chain.statements() {
            values.push(serde_json::to_value(statement).map_err(RotationError::json)?);
        }
        Ok(Self(values))
    }
}

/// Of any version: a newer one is an error that names it, and not overlooked.
fn is_ours(value: &Value) -> bool {
    value.pointer("/statement/type").is_some_and(|kind| kind == "icn-identity/rotation")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{RotationReason, RotationStatement, RotationTerms};
    use super::*;
    use crate::key::{Key, Software, Unlocked};

    fn chain() -> RotationChain {
        let key = || Key::<Software, Unlocked>::generate().unwrap();
        let terms = RotationTerms::new(RotationReason::Manual);
        let statement = RotationStatement::sign_unguarded(&key(), &key(), None, &terms).unwrap();
        RotationChain::verify([statement]).unwrap()
    }

    fn stored(value: Value) -> StoredChain {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_older_programs_left_is_carried_and_is_no_statement() {
        let old = json!([
            { "old_did": "did:icn:z1", "new_did": "did:icn:z2", "signature": [1, 2] },
            "text", null, 7, { "type": "icn-identity/rotation" }, { "statement": { "version": 9 } },
        ]);
        let carried = stored(old.clone());
        assert_eq!(format!("{carried:?}"), "StoredChain { values: 6, .. }");
        assert_eq!(carried.read().unwrap(), None);
        let chain = chain();
        let with = carried.with(&chain).unwrap();
        assert_eq!(with.read().unwrap().unwrap(), chain);
        let json = serde_json::to_value(&with).unwrap();
        assert_eq!(json.as_array().unwrap()[..6], old.as_array().unwrap()[..]);
        assert_eq!(json.as_array().unwrap().len(), 7);
        // Another chain takes the place of ours only.
        let other = self::chain();
        let with = with.with(&other).unwrap();
        assert_eq!(with.read().unwrap().unwrap(), other);
        assert_eq!(serde_json::to_value(&with).unwrap().as_array().unwrap().len(), 7);
    }

    #[test]
    fn a_stored_statement_that_was_changed_or_is_newer_is_an_error() {
        let good = serde_json::to_value(StoredChain::default().with(&chain()).unwrap()).unwrap();
        let mut changed = good.clone();
        changed[0]["statement"]["time"] = 1.into();
        assert!(matches!(stored(changed).read(), Err(RotationError::Signature { .. })));
        let mut newer = good;
        newer[0]["statement"]["version"] = 2.into();
        assert!(matches!(stored(newer).read(), Err(RotationError::Version { found: 2 })));
    }
}
