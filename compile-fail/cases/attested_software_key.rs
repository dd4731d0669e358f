use icn_identity::Software;
use icn_identity::attestation::Attested;

fn treasury(_: &Attested<Software>) {}

fn main() {}
