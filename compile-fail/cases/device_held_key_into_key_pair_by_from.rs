use icn_identity::{DeviceHeld, Key, KeyPair, Unlocked};

fn pair(key: Key<DeviceHeld, Unlocked>) -> KeyPair {
    KeyPair::from(key)
}

fn main() {}
