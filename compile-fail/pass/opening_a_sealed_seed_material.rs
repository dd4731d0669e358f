use icn_identity::{Key, TpmSealed, Unlocked};

fn use_it(key: Key<TpmSealed, Unlocked>) {
    let _signature = key.sign(b"hello");
}

fn main() {}
