use icn_identity::attestation::Activation;

fn for_a_second_try(kept: &Activation) -> Activation {
    kept.clone()
}

fn main() {}
