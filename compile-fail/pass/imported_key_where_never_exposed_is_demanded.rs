use icn_identity::backend::{Credentials, Imported, ImportedKey, SeedImport};
use icn_identity::{Confined, Key, Software, Unlocked};

fn treasury<K: Confined>(_: &K) {}

fn right(token: &dyn SeedImport, of_a_file: &Key<Software, Unlocked>, pin: &Credentials) {
    if let Ok(Imported { key: ImportedKey::DeviceHeld(key), .. }) = token.import(of_a_file, None, pin) {
        treasury(&key);
    }
}

fn main() {}
