use icn_identity::attestation::AttestedKey;
use icn_identity::{Hardware, Key, Sealed, Unlocked};

fn close(key: AttestedKey<Key<Hardware, Unlocked>>) -> Key<Hardware, Sealed> {
    key.into_inner().seal()
}

fn main() {}
