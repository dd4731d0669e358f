use icn_identity::{Holds, Key, Unlocked};

fn sign<P: Holds<Unlocked>>(key: &Key<P, Unlocked>) {
    greet(key);
}

fn greet(_: &impl icn_identity::DidSigner) {}

fn main() {}
