use icn_identity::{Hardware, Key, P256, Sealed};

fn sign(key: &Key<Hardware, Sealed, P256>) {
    let _ = key.sign(b"hello");
}

fn main() {}
