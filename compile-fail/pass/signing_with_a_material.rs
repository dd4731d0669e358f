use icn_identity::{Key, Provenance, Signature, Unlocked};

fn sign<P: Provenance>(key: &Key<P, Unlocked>) -> Option<Signature> {
    key.sign(b"hello").ok()
}

fn main() {}
