use icn_identity::{External, Key, KeyPair, Unlocked};

fn pair(key: Key<External, Unlocked>) -> KeyPair {
    KeyPair::from(key)
}

fn main() {}
