use icn_identity::{Key, Locked, Software};

fn sign(key: &Key<Software, Locked>) {
    let _ = key.sign(b"hello");
}

fn main() {}
