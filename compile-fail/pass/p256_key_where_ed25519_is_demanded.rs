use icn_identity::{Algorithm, Hardware, Holds, Key, P256, Unlocked};

fn admit<A: Algorithm>(_: &Key<Hardware, Unlocked, A>)
where
    Hardware: Holds<Unlocked, A>,
{
}

fn right(key: &Key<Hardware, Unlocked, P256>) {
    admit(key);
}

fn main() {}
