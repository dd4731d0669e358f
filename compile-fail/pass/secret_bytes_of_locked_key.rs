use icn_identity::{Key, Locked, Passphrase, Software};

fn show(key: Key<Software, Locked>, passphrase: &Passphrase) -> Option<[u8; 32]> {
    Some(*key.unlock(passphrase).ok()?.expose_secret())
}

fn main() {}
