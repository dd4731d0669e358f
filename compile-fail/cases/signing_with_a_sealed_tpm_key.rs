use icn_identity::{Key, Sealed, TpmSealed};

fn sign(key: &Key<TpmSealed, Sealed>) {
    let _ = key.sign(b"hello");
}

fn main() {}
