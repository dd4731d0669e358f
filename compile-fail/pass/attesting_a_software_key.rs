use icn_identity::attestation::{Attested, AttestedKey};
use icn_identity::{Hardware, Key, Unlocked};

fn believe(key: Key<Hardware, Unlocked>, proof: Attested) {
    let _ = AttestedKey::check(key, proof);
}

fn main() {}
