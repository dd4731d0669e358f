use icn_identity::{Hardware, IdentityBundle, Key, Unlocked};

struct Node {
    identity: IdentityBundle<Key<Hardware, Unlocked>>,
}

fn main() {}
