use icn_identity::{Provenance, Signature};

fn steal<P: Provenance>(material: &P::Material) -> Option<Signature> {
    P::sign_with((), material, todo!(), b"hello").ok()
}

fn main() {}
