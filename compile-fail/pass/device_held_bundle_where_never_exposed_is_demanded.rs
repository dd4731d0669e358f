use icn_identity::{HardwareKey, IdentityBundle, NeverExposed};

fn treasury<K: NeverExposed>(_: &K) {}

fn right(bundle: &IdentityBundle<HardwareKey>) {
    treasury(bundle);
}

fn main() {}
