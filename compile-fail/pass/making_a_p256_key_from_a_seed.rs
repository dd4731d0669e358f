use icn_identity::{Key, Software, Unlocked};

fn make(seed: &[u8; 32]) -> Key<Software, Unlocked> {
    Key::<Software, Unlocked>::from_seed(seed)
}

fn main() {}
