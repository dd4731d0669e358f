use icn_identity::{Hardware, Key, Unlocked};

fn forge(seed: &[u8; 32]) -> Key<Hardware, Unlocked> {
    Key::<Hardware, Unlocked>::from_seed(seed)
}

fn main() {}
