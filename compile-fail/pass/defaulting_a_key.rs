use icn_identity::{Key, Software, Unlocked};

fn fresh() -> Result<Key<Software, Unlocked>, icn_identity::Error> {
    Ok(Key::<Software, Unlocked>::generate()?)
}

fn main() {}
