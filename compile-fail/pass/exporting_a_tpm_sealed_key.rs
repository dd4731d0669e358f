use icn_identity::config::AgeConfig;
use icn_identity::keystore::{ExportTo, export_secret};
use icn_identity::{Key, Software, Unlocked};

fn export(key: &Key<Software, Unlocked>, to: &ExportTo) {
    export_secret(key, to, &AgeConfig::default(), "key.age".as_ref()).unwrap();
}

fn main() {}
