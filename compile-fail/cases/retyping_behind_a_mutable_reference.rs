use icn_identity::{DeviceHeld, Hardware, Key, Unlocked};

fn retype(key: &mut Key<DeviceHeld, Unlocked>) -> &mut Key<Hardware, Unlocked> {
    key
}

fn main() {}
