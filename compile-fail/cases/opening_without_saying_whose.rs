use icn_identity::backend::Backend;
use icn_identity::keystore::{Credentials, IdentityStore};

fn open(store: &IdentityStore, backend: &dyn Backend, credentials: &Credentials) {
    let _ = store.open(backend, None, credentials);
}

fn main() {}
