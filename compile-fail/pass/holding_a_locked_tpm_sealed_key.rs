use icn_identity::{Key, Sealed, TpmSealed};

struct Node {
    key: Key<TpmSealed, Sealed>,
}

fn main() {}
