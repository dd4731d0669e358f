use icn_identity::{Hardware, Key, P256, Unlocked};

fn admit(_: &Key<Hardware, Unlocked>) {}

fn wrong(key: &Key<Hardware, Unlocked, P256>) {
    admit(key);
}

fn main() {}
