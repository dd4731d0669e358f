use icn_identity::Algorithm;

enum Mine {}

impl Algorithm for Mine {
    const ID: icn_identity::AlgorithmId = icn_identity::AlgorithmId::Ed25519;
}

fn main() {}
