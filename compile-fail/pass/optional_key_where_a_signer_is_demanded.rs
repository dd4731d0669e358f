use icn_identity::{DidSigner, Key, Software, Unlocked};

fn greet(_: &impl DidSigner) {}

fn start(key: &Option<Key<Software, Unlocked>>) {
    key.as_ref().map(greet);
}

fn main() {}
