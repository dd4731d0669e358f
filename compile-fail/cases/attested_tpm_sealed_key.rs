use icn_identity::TpmSealed;
use icn_identity::attestation::Attested;

fn treasury(_: &Attested<TpmSealed>) {}

fn main() {}
