use icn_identity::{Holds, Unlocked};

fn steal<P: Holds<Unlocked>>(material: P::Material) -> [u8; 32] {
    material.0
}

fn main() {}
