use icn_identity::{Key, TpmSealed, Unlocked};

fn sign(key: &Key<TpmSealed, Unlocked>) {
    let _ = key.sign(b"hello");
}

fn main() {}
