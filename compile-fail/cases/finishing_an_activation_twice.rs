use icn_identity::attestation::{Activation, ActivationAnswer, Attestation, Fresh, Verifier};

fn tries(
    verifier: &Verifier,
    kept: Activation,
    [one, other]: [&ActivationAnswer; 2],
    of: &Attestation,
    fresh: Fresh<'_>,
    at: std::time::SystemTime,
) -> bool {
    verifier.finish(kept, one, of, fresh, at).is_ok()
        || verifier.finish(kept, other, of, fresh, at).is_ok()
}

fn main() {}
