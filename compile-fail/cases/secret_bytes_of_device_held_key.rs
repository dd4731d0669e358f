use icn_identity::{DeviceHeld, Key, Unlocked};

fn steal(key: &Key<DeviceHeld, Unlocked>) -> [u8; 32] {
    *key.expose_secret()
}

fn main() {}
