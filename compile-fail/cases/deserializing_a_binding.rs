use icn_identity::bundle::Binding;
use serde::{Deserialize, Deserializer};

fn forge<'de, D: Deserializer<'de>>(told: D) -> Result<Binding, D::Error> {
    Binding::deserialize(told)
}

fn main() {}
