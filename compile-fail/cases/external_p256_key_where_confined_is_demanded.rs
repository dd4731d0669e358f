use icn_identity::{Confined, External, Key, P256, Unlocked};

fn treasury<K: Confined>(_: &K) {}

fn wrong(key: &Key<External, Unlocked, P256>) {
    treasury(key);
}

fn main() {}
