use icn_identity::DidSigner;

struct CloudKey;

fn greet(_: &impl DidSigner) {}

fn start(key: &CloudKey) {
    greet(key);
}

fn main() {}
