use icn_identity::{DeviceHeld, DidKey, Key, NeverExposed, Unlocked};

fn treasury<K: NeverExposed>(_: &K) {}

// As a key behind OpenSC opens: nobody vouches for where it was born.
fn wrong(opened: DidKey) {
    if let Ok(key) = Key::<DeviceHeld, Unlocked>::try_from(opened) {
        treasury(&key);
    }
}

fn main() {}
