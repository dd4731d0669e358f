use icn_identity::HardwareKey;
use icn_identity::attestation::AttestedKey;

fn treasury(_: &AttestedKey<HardwareKey>) {}

fn pay(key: &HardwareKey) {
    treasury(key);
}

fn main() {}
