use icn_identity::keystore::Header;
use serde::{Deserialize, Deserializer};

fn forge<'de, D: Deserializer<'de>>(told: D) -> Result<Header, D::Error> {
    Header::deserialize(told)
}

fn main() {}
