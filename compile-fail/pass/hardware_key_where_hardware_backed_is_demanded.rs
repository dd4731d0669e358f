use icn_identity::{DidSigner, HardwareBacked, HardwareKey, NeverExposed};

fn treasury<K: DidSigner + NeverExposed>(_: &HardwareBacked<K>) {}

fn right(key: &HardwareBacked<HardwareKey>) {
    treasury(key);
}

fn main() {}
