use icn_identity::{Hardware, Key, P256, Unlocked};

fn forge(seed: &[u8; 32]) -> Key<Hardware, Unlocked, P256> {
    Key::<Hardware, Unlocked, P256>::from_seed(seed)
}

fn main() {}
