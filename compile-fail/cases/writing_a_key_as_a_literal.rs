use icn_identity::{Hardware, Key, Software, Unlocked};

fn retype(key: Key<Software, Unlocked>) -> Key<Hardware, Unlocked> {
    Key { public: key.public, material: key.material }
}

fn main() {}
