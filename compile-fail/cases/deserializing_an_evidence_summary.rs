use icn_identity::keystore::EvidenceSummary;
use serde::{Deserialize, Deserializer};

fn forge<'de, D: Deserializer<'de>>(told: D) -> Result<EvidenceSummary, D::Error> {
    EvidenceSummary::deserialize(told)
}

fn main() {}
