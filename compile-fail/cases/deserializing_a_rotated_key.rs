use icn_identity::rotation::RotatedKey;
use serde::{Deserialize, Deserializer};

fn forge<'de, D: Deserializer<'de>>(told: D) -> Result<RotatedKey, D::Error> {
    RotatedKey::deserialize(told)
}

fn main() {}
