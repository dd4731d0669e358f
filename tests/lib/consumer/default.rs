//! A service on files: the default features.
#![deny(warnings)]

use std::path::Path;
use std::time::SystemTime;

use icn_identity::backend::{Backend, NewKey, StorageVault};
use icn_identity::config::Config;
use icn_identity::home::{CredentialSource, Home};
use icn_identity::key::AtRest;
use icn_identity::{
    DidKey, DidSigner, Error, ExposeSecret, HardwareBacked, IdentityBundle, Key, Locked,
    NeverExposed, Passphrase, Refused, Software, Unlocked,
};

pub fn open(directory: &Path, passphrase: String) -> Result<IdentityBundle<DidKey>, Error> {
    let home = Home::open(directory)?;
    Ok(home.unlock(CredentialSource::given(passphrase))?.bundle)
}

pub fn create(home: &mut Home) -> Result<IdentityBundle<DidKey>, Error> {
    Ok(home.create(&NewKey::default(), CredentialSource::given("correct horse"))?.bundle)
}

pub fn renew<S: DidSigner>(bundle: &IdentityBundle<S>) -> Result<(), Error> {
    bundle.renew_if_due(SystemTime::now())?;
    Ok(bundle.verify_binding(SystemTime::now())?)
}

pub fn vault(backend: &dyn Backend) -> Option<&dyn StorageVault> {
    backend.vault()
}

pub fn opened<K: AtRest>(key: K, credential: &K::Credential) -> Result<K::Opened, Refused<K>> {
    key.open(credential)
}

pub fn lock(key: Key<Software, Unlocked>) -> Result<Key<Software, Locked>, Error> {
    Ok(key.lock(&Passphrase::new("correct horse"))?)
}

pub fn secret<K: ExposeSecret>(_: &K) {}

pub fn treasury<K: DidSigner + NeverExposed>(_: &HardwareBacked<K>) {}

pub fn config(text: &str) -> Result<Config, Error> {
    Ok(Config::parse(text)?)
}
