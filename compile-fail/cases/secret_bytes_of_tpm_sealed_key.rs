use icn_identity::{Key, TpmSealed, Unlocked};

fn steal(key: &Key<TpmSealed, Unlocked>) -> [u8; 32] {
    *key.expose_secret()
}

fn main() {}
