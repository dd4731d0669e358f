use icn_identity::{DeviceHeld, IdentityBundle, Key, NeverExposed, Unlocked};

fn treasury<K: NeverExposed>(_: &K) {}

fn wrong(bundle: &IdentityBundle<Key<DeviceHeld, Unlocked>>) {
    treasury(bundle);
}

fn main() {}
