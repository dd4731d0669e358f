use icn_identity::{Key, KeyPair, Software, Unlocked};

fn pair(key: Key<Software, Unlocked>) -> KeyPair {
    KeyPair::from(key)
}

fn main() {}
