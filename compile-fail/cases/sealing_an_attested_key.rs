use icn_identity::attestation::AttestedKey;
use icn_identity::{Hardware, Key, Sealed, Unlocked};

fn close(key: AttestedKey<Key<Hardware, Unlocked>>) -> AttestedKey<Key<Hardware, Sealed>> {
    key.seal()
}

fn main() {}
