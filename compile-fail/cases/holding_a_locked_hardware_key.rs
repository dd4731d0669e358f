use icn_identity::{Hardware, Key, Locked};

struct Node {
    key: Key<Hardware, Locked>,
}

fn main() {}
