use icn_identity::{Software, Unlocked};

type Whole = icn_identity::Key<Software, Unlocked>;

fn main() {}
