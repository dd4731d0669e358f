use icn_identity::{Hardware, Key, P256, Unlocked};

fn sign(key: &Key<Hardware, Unlocked, P256>) {
    let _ = key.sign(b"hello");
}

fn main() {}
