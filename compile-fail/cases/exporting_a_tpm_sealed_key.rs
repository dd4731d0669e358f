use icn_identity::config::AgeConfig;
use icn_identity::keystore::{ExportTo, export_secret};
use icn_identity::{Key, TpmSealed, Unlocked};

fn export(key: &Key<TpmSealed, Unlocked>, to: &ExportTo) {
    export_secret(key, to, &AgeConfig::default(), "key.age".as_ref()).unwrap();
}

fn main() {}
