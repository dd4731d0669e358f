use icn_identity::{Key, Software, Unlocked};

fn once(key: Key<Software, Unlocked>) -> Key<Software, Unlocked> {
    key
}

fn main() {}
