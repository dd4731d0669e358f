use icn_identity::Hardware;
use icn_identity::attestation::Attested;

fn believe() -> Attested<Hardware> {
    Attested::<Hardware>::default()
}

fn main() {}
