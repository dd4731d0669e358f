use icn_identity::{Key, Locked, TpmSealed};

struct Node {
    key: Key<TpmSealed, Locked>,
}

fn main() {}
