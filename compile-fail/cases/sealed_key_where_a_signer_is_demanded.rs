use icn_identity::{DidSigner, Hardware, Key, Sealed};

fn greet(_: &impl DidSigner) {}

fn start(key: &Key<Hardware, Sealed>) {
    greet(key);
}

fn main() {}
