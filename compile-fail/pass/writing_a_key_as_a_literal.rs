use icn_identity::{DidKey, Key, Software, Unlocked};

fn erase(key: Key<Software, Unlocked>) -> DidKey {
    DidKey::from(key)
}

fn main() {}
