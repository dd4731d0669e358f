use icn_identity::Evidence;
use icn_identity::evidence::{DeviceIdentity, TpmAttributes};

fn forge(device: DeviceIdentity, attributes: TpmAttributes) -> Option<Evidence> {
    Evidence::from_tpm(device, attributes).ok()
}

fn main() {}
