use icn_identity::{Hardware, P256, Provenance};

fn plan<P: Provenance<P256>>() {}

fn right() {
    plan::<Hardware>();
}

fn main() {}
