use icn_identity::Hardware;
use icn_identity::attestation::Attested;

fn treasury(_: &Attested<Hardware>) {}

fn main() {}
