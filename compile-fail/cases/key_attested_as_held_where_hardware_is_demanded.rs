use icn_identity::attestation::AttestedKey;
use icn_identity::{DeviceHeld, HardwareKey};

fn treasury(_: &AttestedKey<HardwareKey>) {}

fn pay(key: &AttestedKey<HardwareKey, DeviceHeld>) {
    treasury(key);
}

fn main() {}
