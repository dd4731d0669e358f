use icn_identity::{Key, Software, Unlocked};

fn export(key: &Key<Software, Unlocked>) -> String {
    key.expose_pkcs8_pem().to_string()
}

fn main() {}
