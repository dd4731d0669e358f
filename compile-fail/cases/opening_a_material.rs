use icn_identity::{Key, Software, Unlocked};

fn steal(key: Key<Software, Unlocked>) {
    let _material = key.material;
}

fn main() {}
