use icn_identity::{DidSigner, Hardware, IdentityBundle, Key, Unlocked};

fn greet(_: &impl DidSigner) {}

fn start(bundle: &IdentityBundle<Key<Hardware, Unlocked>>) {
    greet(bundle);
}

fn main() {}
