use icn_identity::{Hardware, Key, NeverExposed, P256, Unlocked};

fn treasury<K: NeverExposed>(_: &K) {}

fn right(key: &Key<Hardware, Unlocked, P256>) {
    treasury(key);
}

fn main() {}
