use icn_identity::{Hardware, Key, P256, Unlocked};

fn steal(key: &Key<Hardware, Unlocked, P256>) -> [u8; 32] {
    *key.expose_secret()
}

fn main() {}
