use icn_identity::{P256, Provenance, TpmSealed};

fn plan<P: Provenance<P256>>() {}

fn wrong() {
    plan::<TpmSealed>();
}

fn main() {}
