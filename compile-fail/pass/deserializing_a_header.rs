use icn_identity::error::KeystoreError;
use icn_identity::keystore::{Header, IdentityStore};

fn read(store: &IdentityStore) -> Result<Header, KeystoreError> {
    store.header()
}

fn main() {}
