use icn_identity::{Key, Software, Unlocked};

fn show(key: Key<Software, Unlocked>) {
    let _seed = key.expose_secret();
}

fn main() {}
