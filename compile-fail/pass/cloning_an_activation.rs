use icn_identity::attestation::Activation;

fn for_the_one_try(kept: Activation) -> Activation {
    kept
}

fn main() {}
