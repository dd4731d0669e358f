use icn_identity::{Key, Locked, Software};

fn take(_: Key<Software, Locked>) {}

fn main() {}
