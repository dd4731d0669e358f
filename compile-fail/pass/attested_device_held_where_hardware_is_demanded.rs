use icn_identity::attestation::{Attestable, Attested};
use icn_identity::{DeviceHeld, Hardware};

fn treasury<P: Attestable>(_: &Attested<P>) {}

fn right(one: &Attested<DeviceHeld>, other: &Attested<Hardware>) {
    treasury(one);
    treasury(other);
}

fn main() {}
