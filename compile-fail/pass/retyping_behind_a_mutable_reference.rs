use icn_identity::{DeviceHeld, Key, Unlocked};

fn borrow(key: &mut Key<DeviceHeld, Unlocked>) -> &mut Key<DeviceHeld, Unlocked> {
    key
}

fn main() {}
