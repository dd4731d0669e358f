use icn_identity::{Confined, DidKey, Key};

fn treasury<K: Confined>(_: &K) {}

fn wrong(key: &DidKey) {
    treasury(key);
}

fn main() {}
