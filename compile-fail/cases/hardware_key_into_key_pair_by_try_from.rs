use icn_identity::{Hardware, Key, KeyPair, Unlocked};

fn pair(key: Key<Hardware, Unlocked>) -> Option<KeyPair> {
    KeyPair::try_from(key).ok()
}

fn main() {}
