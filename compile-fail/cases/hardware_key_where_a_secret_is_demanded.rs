use icn_identity::{ExposeSecret, Hardware, Key, Unlocked};

fn export<K: ExposeSecret>(_: &K) {}

fn wrong(key: &Key<Hardware, Unlocked>) {
    export(key);
}

fn main() {}
