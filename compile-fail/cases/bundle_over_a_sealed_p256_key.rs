use icn_identity::{Hardware, IdentityBundle, Key, P256, Sealed};

struct Node {
    identity: IdentityBundle<Key<Hardware, Sealed, P256>>,
}

fn main() {}
