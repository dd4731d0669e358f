use icn_identity::{HardwareBacked, Key, Software, Unlocked};

fn wrong(key: Key<Software, Unlocked>) {
    let _ = HardwareBacked::<Key<Software, Unlocked>>::check(key);
}

fn main() {}
