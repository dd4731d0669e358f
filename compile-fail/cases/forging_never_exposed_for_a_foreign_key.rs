use icn_identity::{External, Key, NeverExposed, Unlocked};

impl NeverExposed for Key<External, Unlocked> {}

fn main() {}
