use icn_identity::Evidence;
use serde::{Deserialize, Deserializer};

fn forge<'de, D: Deserializer<'de>>(told: D) -> Result<Evidence, D::Error> {
    Evidence::deserialize(told)
}

fn main() {}
