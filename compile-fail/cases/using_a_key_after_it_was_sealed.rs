use icn_identity::{Hardware, Key, Unlocked};

fn twice(key: Key<Hardware, Unlocked>) {
    let _sealed = key.seal();
    let _ = key.sign(b"hello");
}

fn main() {}
