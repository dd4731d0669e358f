use icn_identity::{Key, Software, Unlocked};

fn twice(key: &Key<Software, Unlocked>) -> Key<Software, Unlocked> {
    key.clone()
}

fn main() {}
