use icn_identity::{Hardware, Key, NeverExposed, P256, Sealed};

fn treasury<K: NeverExposed>(_: &K) {}

fn wrong(key: &Key<Hardware, Sealed, P256>) {
    treasury(key);
}

fn main() {}
