use icn_identity::{DidSigner, HardwareBacked, HardwareKey, NeverExposed};

fn treasury<K: DidSigner + NeverExposed>(_: &HardwareBacked<K>) {}

fn wrong(key: &HardwareKey) {
    treasury(key);
}

fn main() {}
