use icn_identity::{Key, Sealed, Software};

fn take(_: Key<Software, Sealed>) {}

fn main() {}
