use icn_identity::{Hardware, Key, Sealed};

struct Node {
    key: Key<Hardware, Sealed>,
}

fn main() {}
