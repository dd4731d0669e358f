use icn_identity::{DidKey, Hardware, Key, NeverExposed, Unlocked};

fn treasury<K: NeverExposed>(_: &K) {}

// What nobody vouches for is not taken: such a key is given back.
fn right(opened: DidKey) {
    if let Ok(key) = Key::<Hardware, Unlocked>::try_from(opened) {
        treasury(&key);
    }
}

fn main() {}
