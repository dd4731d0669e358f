use icn_identity::{Key, Unlocked};

struct Node<P> {
    key: Key<P, Unlocked>,
}

fn main() {}
