use icn_identity::backend::{Credentials, Imported, ImportedKey, SeedImport};
use icn_identity::{Key, NeverExposed, Software, Unlocked};

fn treasury<K: NeverExposed>(_: &K) {}

fn wrong(token: &dyn SeedImport, of_a_file: &Key<Software, Unlocked>, pin: &Credentials) {
    if let Ok(Imported { key: ImportedKey::DeviceHeld(key), .. }) = token.import(of_a_file, None, pin) {
        treasury(&key);
    }
}

fn main() {}
