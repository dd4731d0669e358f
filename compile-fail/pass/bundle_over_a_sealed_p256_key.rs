use icn_identity::{Hardware, IdentityBundle, Key, P256, Unlocked};

struct Node {
    identity: IdentityBundle<Key<Hardware, Unlocked, P256>>,
}

fn main() {}
