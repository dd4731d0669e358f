use icn_identity::Hardware;
use icn_identity::attestation::Attested;
use serde::{Deserialize, Deserializer};

fn believe<'de, D: Deserializer<'de>>(told: D) -> Result<Attested<Hardware>, D::Error> {
    Attested::<Hardware>::deserialize(told)
}

fn main() {}
