use icn_identity::Did;
use serde::{Deserialize, Deserializer};

fn read<'de, D: Deserializer<'de>>(told: D) -> Result<Did, D::Error> {
    Did::deserialize(told)
}

fn main() {}
