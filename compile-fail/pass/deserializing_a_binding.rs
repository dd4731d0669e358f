use icn_identity::bundle::{Binding, UnverifiedBinding};
use serde::{Deserialize, Deserializer, de::Error};

fn read<'de, D: Deserializer<'de>>(told: D) -> Result<Binding, D::Error> {
    UnverifiedBinding::deserialize(told)?.verify().map_err(D::Error::custom)
}

fn main() {}
