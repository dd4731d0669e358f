use icn_identity::{Key, Software, Unlocked};

fn fresh() -> Result<Key<Software, Unlocked>, icn_identity::Error> {
    Key::<Software, Unlocked>::generate()
}

fn main() {}
