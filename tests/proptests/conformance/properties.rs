//! What each signer has to keep. A promise is a function that is generic over the fixture.

pub(super) mod backup;
pub(super) mod bundle;
pub(super) mod credentials;
pub(super) mod evidence;
pub(super) mod keys;
pub(super) mod mismatch;
pub(super) mod processes;
pub(super) mod provenance;
pub(super) mod remote;
pub(super) mod rotation;

use std::time::Duration;

use icn_identity::{AlgorithmId, DidKey, DidSigner, IdentityBundle};

use super::MESSAGE;
use crate::signers::BOTH;
use crate::signers::memory::{external, software};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What no caller gets signed.
const STATEMENTS: [&[u8]; 3] =
    [b"icn-identity/", b"icn-identity/binding/v1\0", b"icn-identity/rotation/v1\0{}"];

fn signs<S: DidSigner + ?Sized>(signer: &S) {
    let signature = signer.sign(MESSAGE).unwrap();
    let key = signer.did().verifying_key();
    key.verify_strict(MESSAGE, &signature).unwrap();
    key.verify_strict(b"100 to Eve", &signature).unwrap_err();
}

/// Somebody else's, of each algorithm.
fn strangers() -> [DidKey; 2] {
    BOTH.map(|algorithm| match algorithm {
        AlgorithmId::Ed25519 => software(),
        _ => external(algorithm),
    })
}

fn peers() -> [IdentityBundle<DidKey>; 2] {
    strangers().map(|key| IdentityBundle::issue(key).unwrap())
}
