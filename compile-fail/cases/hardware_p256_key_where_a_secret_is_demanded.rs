use icn_identity::{ExposeSecret, Hardware, Key, P256, Unlocked};

fn export<K: ExposeSecret>(_: &K) {}

fn wrong(key: &Key<Hardware, Unlocked, P256>) {
    export(key);
}

fn main() {}
