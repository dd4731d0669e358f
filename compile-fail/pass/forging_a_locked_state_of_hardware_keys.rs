use icn_identity::{Holds, Locked, Software};

fn generic<P: Holds<Locked>>() {}

fn right() {
    generic::<Software>();
}

fn main() {}
