use icn_identity::{Hardware, Key, P256, Unlocked};

fn twice(key: Key<Hardware, Unlocked, P256>) {
    let _ = key.sign(b"hello");
    let _sealed = key.seal();
}

fn main() {}
