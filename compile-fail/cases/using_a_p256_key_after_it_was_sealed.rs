use icn_identity::{Hardware, Key, P256, Unlocked};

fn twice(key: Key<Hardware, Unlocked, P256>) {
    let _sealed = key.seal();
    let _ = key.sign(b"hello");
}

fn main() {}
