use icn_identity::attestation::{Attested, AttestedKey};
use icn_identity::{Key, Software, Unlocked};

fn believe(key: Key<Software, Unlocked>, proof: Attested) {
    let _ = AttestedKey::check(key, proof);
}

fn main() {}
