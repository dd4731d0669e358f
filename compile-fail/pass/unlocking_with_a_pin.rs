use icn_identity::{Key, Locked, Passphrase, Software};

fn unlock(key: Key<Software, Locked>, passphrase: &Passphrase) {
    let _ = key.unlock(passphrase);
}

fn main() {}
