use icn_identity::{Confined, External, Key, Unlocked};

fn treasury<K: Confined>(_: &K) {}

fn wrong(key: &Key<External, Unlocked>) {
    treasury(key);
}

fn main() {}
