use icn_identity::peer::VerifiedDid;
use serde::{Deserialize, Deserializer};

fn believe<'de, D: Deserializer<'de>>(told: D) -> Result<VerifiedDid, D::Error> {
    VerifiedDid::deserialize(told)
}

fn main() {}
