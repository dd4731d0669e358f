use icn_identity::RotationStatement;
use icn_identity::rotation::{RotatedKey, RotationError};

fn read(told: &[u8]) -> Result<RotatedKey, RotationError> {
    Ok(RotationStatement::from_json(told)?.new_key().clone())
}

fn main() {}
