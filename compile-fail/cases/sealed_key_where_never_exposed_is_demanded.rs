use icn_identity::{Hardware, Key, NeverExposed, Sealed};

fn treasury<K: NeverExposed>(_: &K) {}

fn wrong(key: &Key<Hardware, Sealed>) {
    treasury(key);
}

fn main() {}
