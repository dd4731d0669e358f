//! Mutual TLS between DIDs: every signer, other people's clients, and every
//! reason to refuse a peer.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::unwrap_in_result, reason = "tests")]

mod asynchronous;
mod attested;
mod book;
mod clients;
mod craft;
mod flips;
mod holders;
mod live;
mod migration;
mod refusals;
mod rotation;
mod service;
mod testing;
mod times;
mod wire;

use std::sync::Arc;

use icn_identity::tls::DidVerifier;
use icn_identity::{Did, IdentityBundle, Key, Software, Unlocked};

type Bundle = IdentityBundle<Key<Software, Unlocked>>;

fn bundle() -> Bundle {
    IdentityBundle::issue(Key::generate().unwrap()).unwrap()
}

fn anybody() -> Arc<DidVerifier> {
    Arc::new(DidVerifier::deciding(|_| true))
}

fn pinned(did: &Did) -> Arc<DidVerifier> {
    Arc::new(DidVerifier::pinned(did.clone()))
}
