use icn_identity::{Key, Software, Unlocked};

fn empty() -> Key<Software, Unlocked> {
    Key::<Software, Unlocked>::default()
}

fn main() {}
