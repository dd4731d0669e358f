use icn_identity::{Hardware, Key, Sealed};

fn sign(key: &Key<Hardware, Sealed>) {
    let _ = key.sign(b"hello");
}

fn main() {}
