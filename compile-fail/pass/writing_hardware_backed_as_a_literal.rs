use icn_identity::evidence::Unmet;
use icn_identity::{HardwareBacked, HardwareKey, Refused};

fn right(key: HardwareKey) -> Result<HardwareBacked<HardwareKey>, Refused<HardwareKey, Unmet>> {
    HardwareBacked::check(key)
}

fn main() {}
