use icn_identity::Did;
use icn_identity::backend::Backend;
use icn_identity::keystore::{Credentials, IdentityStore, Pinned};

fn open(store: &IdentityStore, backend: &dyn Backend, did: &Did, credentials: &Credentials) {
    let _ = store.open(backend, Pinned::To(did), credentials);
}

fn open_any(store: &IdentityStore, backend: &dyn Backend, credentials: &Credentials) {
    let _ = store.open(backend, Pinned::Nobody, credentials);
}

fn main() {}
