use icn_identity::{Key, Locked, Passphrase, Software};

fn sign(key: Key<Software, Locked>, passphrase: &Passphrase) {
    let _ = key.unlock(passphrase).map(|key| key.sign(b"hello"));
}

fn main() {}
