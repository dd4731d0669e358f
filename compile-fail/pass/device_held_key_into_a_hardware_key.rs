use icn_identity::{Hardware, HardwareKey, Key, Unlocked};

fn right(key: Key<Hardware, Unlocked>) -> HardwareKey {
    HardwareKey::from(key)
}

fn main() {}
