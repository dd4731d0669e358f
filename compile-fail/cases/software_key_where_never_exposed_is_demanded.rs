use icn_identity::{Key, NeverExposed, Software, Unlocked};

fn treasury<K: NeverExposed>(_: &K) {}

fn wrong(key: &Key<Software, Unlocked>) {
    treasury(key);
}

fn main() {}
