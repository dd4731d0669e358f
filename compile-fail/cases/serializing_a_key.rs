use icn_identity::{Key, Software, Unlocked};

fn save<T: Keep>(_: &T) {}
trait Keep {}
impl<T: serde::Serialize> Keep for T {}

fn wrong(key: &Key<Software, Unlocked>) {
    save(key);
}

fn main() {}
