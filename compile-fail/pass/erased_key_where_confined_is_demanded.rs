use icn_identity::{Confined, Hardware, Key, Unlocked};

fn treasury<K: Confined>(_: &K) {}

fn right(key: &Key<Hardware, Unlocked>) {
    treasury(key);
}

fn main() {}
