use icn_identity::{RotationChain, RotationStatement};

fn forge(last: RotationStatement) -> RotationChain {
    RotationChain { before: Vec::new(), last }
}

fn main() {}
