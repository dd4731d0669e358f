use icn_identity::{DeviceHeld, Key, NeverExposed, Unlocked};

fn treasury<K: NeverExposed>(_: &K) {}

fn wrong(key: &Key<DeviceHeld, Unlocked>) {
    treasury(key);
}

fn main() {}
