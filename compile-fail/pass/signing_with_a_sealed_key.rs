use icn_identity::{Hardware, Key, Unlocked};

fn sign(key: &Key<Hardware, Unlocked>) {
    let _ = key.sign(b"hello");
}

fn main() {}
