use icn_identity::{Hardware, Key, NeverExposed, Unlocked};

fn demand<K: NeverExposed>(_: &K) {}

fn right(key: &Key<Hardware, Unlocked>) {
    demand(key);
}

fn main() {}
