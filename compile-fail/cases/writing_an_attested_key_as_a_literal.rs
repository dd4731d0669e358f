use icn_identity::HardwareKey;
use icn_identity::attestation::{Attested, AttestedKey};

fn believe(key: HardwareKey, proof: Attested) -> AttestedKey<HardwareKey> {
    AttestedKey { key, evidence: todo!(), proof }
}

fn main() {}
