use icn_identity::{DeviceHeld, HardwareBacked, Key, Unlocked};

fn right(key: Key<DeviceHeld, Unlocked>) {
    let _ = HardwareBacked::<Key<DeviceHeld, Unlocked>>::check(key);
}

fn main() {}
