use icn_identity::{Hardware, Key, Sealed, SealedKey};

fn demand(key: SealedKey) -> Key<Hardware, Sealed> {
    key.demand_hardware().unwrap()
}

fn main() {}
