use icn_identity::{External, Key, Unlocked};

fn steal(key: &Key<External, Unlocked>) -> [u8; 32] {
    *key.expose_secret()
}

fn main() {}
