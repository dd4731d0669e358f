use icn_identity::{Key, P256, Software, Unlocked};

struct Node {
    key: Key<Software, Unlocked, P256>,
}

fn main() {}
