use icn_identity::{RotationChain, RotationStatement};

fn verify(last: RotationStatement) -> Option<RotationChain> {
    RotationChain::verify([last]).ok()
}

fn main() {}
