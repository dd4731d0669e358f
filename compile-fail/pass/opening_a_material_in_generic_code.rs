use icn_identity::{Holds, Key, Unlocked};

fn pass<P: Holds<Unlocked>>(key: Key<P, Unlocked>) -> Key<P, Unlocked> {
    key
}

fn main() {}
