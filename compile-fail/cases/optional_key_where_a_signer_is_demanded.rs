use icn_identity::{DidSigner, Key, Software, Unlocked};

fn greet(_: &impl DidSigner) {}

fn start(key: &Option<Key<Software, Unlocked>>) {
    greet(key);
}

fn main() {}
