use icn_identity::External;
use icn_identity::attestation::Attested;

fn treasury(_: &Attested<External>) {}

fn main() {}
