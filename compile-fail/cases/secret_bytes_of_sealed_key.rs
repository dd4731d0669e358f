use icn_identity::{Hardware, Key, Sealed};

fn steal(key: &Key<Hardware, Sealed>) -> [u8; 32] {
    *key.expose_secret()
}

fn main() {}
