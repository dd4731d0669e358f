use icn_identity::{Key, Sealed, TpmSealed};

fn steal(key: &Key<TpmSealed, Sealed>) -> [u8; 32] {
    *key.expose_secret()
}

fn main() {}
