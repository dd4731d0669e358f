use icn_identity::{Key, Software, Unlocked};

fn print(key: &Key<Software, Unlocked>) -> String {
    key.did().to_string()
}

fn main() {}
