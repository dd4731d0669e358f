use icn_identity::{Ed25519, Software, Unlocked};

type Whole = icn_identity::Key<Software, Unlocked, Ed25519>;

fn main() {}
