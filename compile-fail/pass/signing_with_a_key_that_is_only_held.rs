use icn_identity::{Key, Provenance, Unlocked};

fn sign<P: Provenance>(key: &Key<P, Unlocked>) {
    greet(key);
}

fn greet(_: &impl icn_identity::DidSigner) {}

fn main() {}
