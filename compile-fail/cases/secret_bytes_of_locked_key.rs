use icn_identity::{Key, Locked, Software};

fn steal(key: &Key<Software, Locked>) -> [u8; 32] {
    *key.expose_secret()
}

fn main() {}
