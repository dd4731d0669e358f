use icn_identity::{Ed25519, Software, Unlocked};

type Stolen = <Software as icn_identity::private::Store<Unlocked, Ed25519>>::Material;

fn main() {}
