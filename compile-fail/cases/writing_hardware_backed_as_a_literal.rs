use icn_identity::{HardwareBacked, HardwareKey};

fn wrong(key: HardwareKey) -> HardwareBacked<HardwareKey> {
    HardwareBacked(key)
}

fn main() {}
