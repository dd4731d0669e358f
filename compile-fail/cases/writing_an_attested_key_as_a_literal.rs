use icn_identity::attestation::{Attested, AttestedKey};
use icn_identity::{Evidence, HardwareKey};

fn believe(key: HardwareKey, evidence: Evidence, proof: Attested) -> AttestedKey<HardwareKey> {
    AttestedKey { key, evidence, proof }
}

fn main() {}
