use icn_identity::{Key, KeyPair, Software, Unlocked};

fn pair(key: Key<Software, Unlocked>) -> Option<KeyPair> {
    KeyPair::try_from(key).ok()
}

fn main() {}
