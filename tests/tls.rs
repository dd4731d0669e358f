//! Mutual TLS between DIDs: every signer, other people's clients, and every
//! reason to refuse a peer.
#![allow(dead_code, reason = "the support modules serve several tests")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::unwrap_in_result, reason = "tests")]

#[path = "tls/clients.rs"]
mod clients;
#[path = "tls/craft.rs"]
mod craft;
#[path = "tls/flips.rs"]
mod flips;
#[path = "tls/live.rs"]
mod live;
#[path = "tls/pairs.rs"]
mod pairs;
#[path = "tls/refusals.rs"]
mod refusals;
#[path = "tls/rotation.rs"]
mod rotation;
#[path = "support/softhsm.rs"]
mod softhsm;
#[path = "support/swtpm.rs"]
mod swtpm;
#[path = "tls/times.rs"]
mod times;
#[path = "tls/wire.rs"]
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
