use icn_identity::attestation::AttestedKey;
use icn_identity::{Hardware, HardwareKey};

fn treasury(_: &AttestedKey<HardwareKey>) {}

fn pay(key: &AttestedKey<HardwareKey, Hardware>) {
    treasury(key);
}

fn main() {}
