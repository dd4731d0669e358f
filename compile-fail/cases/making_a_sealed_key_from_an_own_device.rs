use icn_identity::{Did, SealedKey};

fn forge(did: Did) -> SealedKey {
    SealedKey::new(did, std::sync::Arc::new(()))
}

fn main() {}
