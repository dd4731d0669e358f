use icn_identity::{ExposeSecret, Key, Software, Unlocked};

fn export<K: ExposeSecret>(_: &K) {}

fn right(key: &Key<Software, Unlocked>) {
    export(key);
}

fn main() {}
