use icn_identity::{Ed25519, Software, Unlocked};

type Stolen = <Software as icn_identity::key::hooks::Store<Unlocked, Ed25519>>::Material;
type Pass = icn_identity::private::Token;
type Inside = icn_identity::key::Public;

fn main() {}
