use icn_identity::Provenance;

fn generic<P: Provenance>() {}

fn main() {}
