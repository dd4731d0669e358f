use icn_identity::{Confined, DeviceHeld, Key, Unlocked};

fn treasury<K: Confined>(_: &K) {}

fn right(key: &Key<DeviceHeld, Unlocked>) {
    treasury(key);
}

fn main() {}
