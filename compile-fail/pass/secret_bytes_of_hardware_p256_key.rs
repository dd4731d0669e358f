use icn_identity::{Key, Software, Unlocked};

fn show(key: &Key<Software, Unlocked>) -> [u8; 32] {
    *key.expose_secret()
}

fn main() {}
