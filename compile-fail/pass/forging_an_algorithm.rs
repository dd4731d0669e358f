use icn_identity::Algorithm;

fn id<A: Algorithm>() -> icn_identity::AlgorithmId {
    A::ID
}

fn main() {}
