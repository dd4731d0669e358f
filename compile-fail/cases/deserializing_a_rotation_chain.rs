use icn_identity::RotationChain;
use serde::{Deserialize, Deserializer};

fn forge<'de, D: Deserializer<'de>>(told: D) -> Result<RotationChain, D::Error> {
    RotationChain::deserialize(told)
}

fn main() {}
