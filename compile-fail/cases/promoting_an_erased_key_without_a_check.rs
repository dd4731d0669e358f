use icn_identity::{DidKey, Hardware, Key, Unlocked};

fn promote(key: DidKey) -> Key<Hardware, Unlocked> {
    key.into()
}

fn main() {}
