use icn_identity::{DidKey, Hardware, Key, Unlocked};

fn promote(key: DidKey) -> Option<Key<Hardware, Unlocked>> {
    key.try_into().ok()
}

fn main() {}
