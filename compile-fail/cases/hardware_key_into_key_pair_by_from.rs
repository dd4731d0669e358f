use icn_identity::{Hardware, Key, KeyPair, Unlocked};

fn pair(key: Key<Hardware, Unlocked>) -> KeyPair {
    KeyPair::from(key)
}

fn main() {}
