use icn_identity::{Confined, Key, TpmSealed, Unlocked};

fn treasury<K: Confined>(_: &K) {}

fn wrong(key: &Key<TpmSealed, Unlocked>) {
    treasury(key);
}

fn main() {}
