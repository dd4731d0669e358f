use icn_identity::{Hardware, Key, P256, Sealed};

struct Node {
    key: Key<Hardware, Sealed, P256>,
}

fn main() {}
