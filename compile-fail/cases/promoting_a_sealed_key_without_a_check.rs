use icn_identity::{Hardware, Key, P256, Sealed, SealedKey};

fn promote(key: SealedKey) -> Key<Hardware, Sealed, P256> {
    key.into()
}

fn main() {}
