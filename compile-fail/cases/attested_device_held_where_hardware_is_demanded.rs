use icn_identity::attestation::Attested;
use icn_identity::{DeviceHeld, Hardware};

fn treasury(_: &Attested<Hardware>) {}

fn wrong(proof: &Attested<DeviceHeld>) {
    treasury(proof);
}

fn main() {}
