use icn_identity::{Key, TpmSealed, Unlocked};

fn steal(key: Key<TpmSealed, Unlocked>) {
    let _material = key.material;
}

fn main() {}
