use icn_identity::{Hardware, Key, NeverExposed, Unlocked};

fn treasury<K: NeverExposed>(_: &K) {}

fn right(key: &Key<Hardware, Unlocked>) {
    treasury(key);
}

fn main() {}
