use icn_identity::{Key, KeyPair, TpmSealed, Unlocked};

fn pair(key: Key<TpmSealed, Unlocked>) -> KeyPair {
    key.into()
}

fn main() {}
