use icn_identity::{Key, KeyPair, Software, Unlocked};

fn pair(key: Key<Software, Unlocked>) -> KeyPair {
    key.into()
}

fn main() {}
