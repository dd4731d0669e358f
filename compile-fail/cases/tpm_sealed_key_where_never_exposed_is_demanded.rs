use icn_identity::{Key, NeverExposed, TpmSealed, Unlocked};

fn treasury<K: NeverExposed>(_: &K) {}

fn wrong(key: &Key<TpmSealed, Unlocked>) {
    treasury(key);
}

fn main() {}
