use icn_identity::{Key, Software, Unlocked};

struct Node {
    key: Key<Software, Unlocked>,
}

fn main() {}
