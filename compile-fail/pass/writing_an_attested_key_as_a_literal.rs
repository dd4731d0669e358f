use icn_identity::HardwareKey;
use icn_identity::attestation::{Attested, AttestedKey};

fn believe(key: HardwareKey, proof: Attested) -> Option<AttestedKey<HardwareKey>> {
    AttestedKey::check(key, proof).ok()
}

fn main() {}
