use icn_identity::attestation::{Attested, Verdict};
use icn_identity::Hardware;

fn believe(verdict: Verdict) -> Option<Attested<Hardware>> {
    verdict.into_hardware()
}

fn main() {}
