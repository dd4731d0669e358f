use icn_identity::{Hardware, Key, KeyPair, P256, Unlocked};

fn pair(key: Key<Hardware, Unlocked, P256>) -> KeyPair {
    KeyPair::from(key)
}

fn main() {}
