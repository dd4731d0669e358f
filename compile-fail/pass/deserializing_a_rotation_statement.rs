use icn_identity::RotationStatement;
use icn_identity::rotation::RotationError;

fn read(told: &[u8]) -> Result<RotationStatement, RotationError> {
    RotationStatement::from_json(told)
}

fn main() {}
