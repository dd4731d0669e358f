//! A TLS key with its certificate and binding: what a handshake shows, whoever keeps it.

use std::sync::{Arc, PoisonError, RwLock};

use super::Binding;
use crate::algorithm::Ed25519VerifyingKey;
use crate::secret::SigningSeed;

/// What a handshake needs: neither the DID's key nor the X25519 key.
#[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "of the handshake"))]
pub(crate) struct TlsPart {
    pub(crate) key: Arc<SigningSeed>,
    pub(crate) public: Ed25519VerifyingKey,
    pub(crate) certificate: Vec<u8>,
    pub(crate) binding: Binding,
}

/// Where the TLS part in use is, as long as somebody looks.
pub(crate) struct TlsSlot(RwLock<Arc<TlsPart>>);

impl TlsSlot {
    pub(crate) fn new(part: Arc<TlsPart>) -> Arc<Self> {
        Arc::new(Self(RwLock::new(part)))
    }

    pub(crate) fn current(&self) -> Arc<TlsPart> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn put(&self, part: Arc<TlsPart>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = part;
    }
}
