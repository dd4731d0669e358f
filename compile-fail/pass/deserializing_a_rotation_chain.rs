use icn_identity::RotationChain;
use icn_identity::rotation::RotationError;

fn read(told: &[u8]) -> Result<RotationChain, RotationError> {
    RotationChain::from_json(told)
}

fn main() {}
