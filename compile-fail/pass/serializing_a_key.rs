use icn_identity::{Key, Software, Unlocked};

fn save<T: Keep>(_: &T) {}
trait Keep {}
impl<T: serde::Serialize> Keep for T {}

fn right(key: &Key<Software, Unlocked>) {
    save(key.did());
}

fn main() {}
