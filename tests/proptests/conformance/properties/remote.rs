//! What another process has: a daemon signs for it, and shows what it vouches for.

use std::sync::Arc;

use icn_identity::client::RemoteIdentity;
use icn_identity::rotation::{RotationReason, RotationTerms};
use icn_identity::{DidSigner as _, IdentityBundle, RotationStatement};

use super::bundle::{End, check_document, meet_strangers, refuses_statements};
use super::{signs, strangers};
use crate::conformance::Fixture;
use crate::conformance::fixture::in_each_form;

pub(crate) trait Remote: Fixture {
    fn identity(&self) -> RemoteIdentity;
}

/// So there is no bundle of it but the daemon's own, and no rotation.
pub(crate) fn signs_no_statement<F: Remote>(it: &F) {
    in_each_form!(it, F, key => {
        refuses_statements(&key);
        let refused = IdentityBundle::issue(key).map(drop).unwrap_err();
        let key = refused.into_key();
        let terms = RotationTerms::new(RotationReason::Scheduled);
        for other in strangers() {
            RotationStatement::sign_unguarded(&key, &other, None, &terms).unwrap_err();
            RotationStatement::sign_unguarded(&other, &key, None, &terms).unwrap_err();
        }
        signs(&key);
    });
}

pub(crate) fn meets<F: Remote>(it: &F) {
    let tls = Arc::new(it.identity().tls().unwrap());
    let (serving, calling) = (tls.clone(), tls.clone());
    meet_strangers(&End {
        did: tls.did().clone(),
        x25519: None,
        server: Box::new(move |verifier| serving.tls_server(verifier).unwrap()),
        client: Box::new(move |verifier| calling.tls_client(verifier).unwrap()),
    });
}

pub(crate) fn has_a_document<F: Remote>(it: &F) {
    let (identity, key) = (it.identity(), it.key("one"));
    let document = identity.did_document().unwrap();
    check_document(&document, key.did(), document.x25519_public_key());
}
