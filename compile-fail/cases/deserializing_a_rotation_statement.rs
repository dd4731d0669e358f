use icn_identity::RotationStatement;
use serde::{Deserialize, Deserializer};

fn forge<'de, D: Deserializer<'de>>(told: D) -> Result<RotationStatement, D::Error> {
    RotationStatement::deserialize(told)
}

fn main() {}
