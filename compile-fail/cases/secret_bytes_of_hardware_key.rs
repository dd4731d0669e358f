use icn_identity::{Hardware, Key, Unlocked};

fn steal(key: &Key<Hardware, Unlocked>) -> [u8; 32] {
    *key.expose_secret()
}

fn main() {}
