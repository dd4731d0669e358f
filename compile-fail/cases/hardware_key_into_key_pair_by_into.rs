use icn_identity::{Hardware, Key, KeyPair, Unlocked};

fn pair(key: Key<Hardware, Unlocked>) -> KeyPair {
    key.into()
}

fn main() {}
