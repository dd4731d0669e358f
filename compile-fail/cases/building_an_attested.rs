use icn_identity::attestation::{Attested, CertifiedKey, Root};
use icn_identity::{Did, Hardware};

fn believe(claimed: &Did, certified: CertifiedKey) -> Attested<Hardware> {
    Attested::new(claimed, certified, Root::Maker, 0)
}

fn main() {}
