use icn_identity::{Key, Provenance, Unlocked};

struct Node<P: Provenance> {
    key: Key<P, Unlocked>,
}

fn main() {}
