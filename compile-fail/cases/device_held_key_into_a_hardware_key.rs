use icn_identity::{DeviceHeld, HardwareKey, Key, Unlocked};

fn wrong(key: Key<DeviceHeld, Unlocked>) -> HardwareKey {
    HardwareKey::from(key)
}

fn main() {}
