use icn_identity::{DeviceHeld, Key, NeverExposed, P256, Unlocked};

fn treasury<K: NeverExposed>(_: &K) {}

fn wrong(key: &Key<DeviceHeld, Unlocked, P256>) {
    treasury(key);
}

fn main() {}
