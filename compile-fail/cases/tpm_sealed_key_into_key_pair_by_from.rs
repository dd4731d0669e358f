use icn_identity::{Key, KeyPair, TpmSealed, Unlocked};

fn pair(key: Key<TpmSealed, Unlocked>) -> KeyPair {
    KeyPair::from(key)
}

fn main() {}
