use icn_identity::attestation::Attestation;
use icn_identity::attestation::AttestationError;

fn read(told: &[u8]) -> Result<Attestation, AttestationError> {
    Attestation::parse(told)
}

fn main() {}
