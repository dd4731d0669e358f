use icn_identity::{Hardware, Key, Unlocked};

fn export(key: &Key<Hardware, Unlocked>) -> String {
    key.expose_pkcs8_pem().to_string()
}

fn main() {}
