use icn_identity::{Hardware, IdentityBundle, Key, Sealed};

struct Node {
    identity: IdentityBundle<Key<Hardware, Sealed>>,
}

fn main() {}
