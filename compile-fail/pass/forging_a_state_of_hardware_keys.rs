use icn_identity::{Hardware, Holds, Unlocked};

fn generic<P: Holds<Unlocked>>() {}

fn right() {
    generic::<Hardware>();
}

fn main() {}
