//! The chain inside an identity's payload.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RotationChain, RotationError};

/// The field `rotation_chain`. What older programs put there is carried along
/// and never taken for a statement.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct StoredChain(Vec<Value>);

impl StoredChain {
    /// The chain, verified as if it came from a stranger.
    pub(crate) fn read(&self) -> Result<Option<RotationChain>, RotationError> {
        let ours: Vec<&Value> = self.0.iter().filter(|value| is_ours(value)).collect();
        if ours.is_empty() {
            return Ok(None);
        }
        let json = serde_json::to_vec(&ours).map_err(RotationError::Format)?;
        RotationChain::from_json(&json).map(Some)
    }

    /// With another chain in the place of ours.
    pub(crate) fn with(self, chain: &RotationChain) -> Result<Self, RotationError> {
        let mut values: Vec<Value> = self.0.into_iter().filter(|value| !is_ours(value)).collect();
        for statement in chain.statements() {
            values.push(serde_json::to_value(statement).map_err(RotationError::Format)?);
        }
        Ok(Self(values))
    }
}

/// Of any version: a newer one is an error that names it, and not overlooked.
fn is_ours(value: &Value) -> bool {
    value.pointer("/statement/type").is_some_and(|kind| kind == "icn-identity/rotation")
}
