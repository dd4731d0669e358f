use icn_identity::{Key, P256, Sealed, TpmSealed};

struct Node {
    key: Key<TpmSealed, Sealed, P256>,
}

fn main() {}
