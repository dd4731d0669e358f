use icn_identity::{Holds, Software, Unlocked};

type Stolen = <Software as Holds<Unlocked>>::Material;

fn main() {}
