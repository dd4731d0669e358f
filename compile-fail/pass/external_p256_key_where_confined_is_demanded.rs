use icn_identity::{Confined, DeviceHeld, Key, P256, Unlocked};

fn treasury<K: Confined>(_: &K) {}

fn right(key: &Key<DeviceHeld, Unlocked, P256>) {
    treasury(key);
}

fn main() {}
