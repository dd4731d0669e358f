use icn_identity::attestation::{Activation, ActivationAnswer, Attestation, Fresh, Verifier};

fn tries(
    verifier: &Verifier,
    kept: Activation,
    one: &ActivationAnswer,
    of: &Attestation,
    fresh: Fresh<'_>,
    at: std::time::SystemTime,
) -> bool {
    verifier.finish(kept, one, of, fresh, at).is_ok()
}

fn main() {}
