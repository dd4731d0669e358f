//! The companions of a bundle, behind a handle: who holds the bundle sees the renewed
//! ones, and never a part of the old with a part of the new.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::companions::Companions;
use super::renewal::Kept;
#[cfg(feature = "tls")]
use crate::binding::{TlsPart, TlsSlot};

/// One set of companions at a time.
pub(super) struct Shared {
    current: RwLock<Arc<Companions>>,
    /// Connections look here. They outlive the bundle, and the X25519 key is none of
    /// their business.
    #[cfg(feature = "tls")]
    tls: Arc<TlsSlot>,
    /// Renewals take turns.
    kept: Mutex<Kept>,
}

impl Shared {
    pub(super) fn new(companions: Companions, kept: Kept) -> Self {
        let companions = Arc::new(companions);
        Self {
            #[cfg(feature = "tls")]
            tls: TlsSlot::new(tls_part(&companions)),
            current: RwLock::new(companions),
            kept: Mutex::new(kept),
        }
    }

    /// What is in use now: it stays what it is when others come in its place.
    pub(super) fn current(&self) -> Arc<Companions> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn replace(&self, companions: Companions) {
        let companions = Arc::new(companions);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        #[cfg(feature = "tls")]
        self.tls.put(tls_part(&companions));
        *current = companions;
    }

    /// For the length of a renewal.
    pub(super) fn turn(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn kept_by(self, kept: Kept) -> Self {
        Self { kept: Mutex::new(kept), ..self }
    }

    #[cfg(feature = "tls")]
    pub(super) fn tls(&self) -> Arc<TlsSlot> {
        Arc::clone(&self.tls)
    }
}

/// What a handshake needs of the companions.
#[cfg(feature = "tls")]
fn tls_part(companions: &Companions) -> Arc<TlsPart> {
    Arc::new(TlsPart {
        public: companions.tls_key.verifying_key(),
        key: Arc::clone(&companions.tls_key),
        certificate: companions.certificate.clone(),
        binding: companions.binding.clone(),
    })
}
