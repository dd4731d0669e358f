use icn_identity::{Hardware, Key, P256, Sealed, SealedKey};

fn promote(key: SealedKey) -> Option<Key<Hardware, Sealed, P256>> {
    key.try_into().ok()
}

fn main() {}
