use icn_identity::{Hardware, Key, Unlocked};

fn twice(key: Key<Hardware, Unlocked>) {
    let _ = key.sign(b"hello");
    let _sealed = key.seal();
}

fn main() {}
