//! The own side of connections: certificate and key, which are renewed meanwhile.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::signing::TlsKey;
use crate::binding::{Instance, TlsPart, TlsSlot};
use crate::bundle::IdentityBundle;
use crate::did::Did;
use crate::kind::{ErrorKind, explain};
use crate::signer::DidSigner;

/// The TLS key and certificate of a bundle, as rustls uses them.
///
/// It follows its bundle: where that is renewed in place
/// ([`IdentityBundle::renew`]), every configuration that was made of this, or of a
/// clone, uses the new certificate from the next handshake on. Connections that are
/// open are left alone. The DID key is not in here, nor is the X25519 key; what is in
/// here stays when the bundle is dropped.
#[derive(Clone)]
pub struct TlsIdentity(Arc<Inner>);

struct Inner {
    did: Did,
    /// Which bundle is followed.
    followed: RwLock<Arc<TlsSlot>>,
}

impl TlsIdentity {
    /// The TLS key and certificate of a bundle, and those that come after them. The
    /// key is not copied.
    #[must_use]
    pub fn new<S: DidSigner>(bundle: &IdentityBundle<S>) -> Self {
        Self::following(bundle.did(), bundle.tls_slot())
    }

    /// The TLS key and certificate of a bundle as they are now: its renewals do not
    /// reach this one, until it is told to [follow](Self::replace) a bundle.
    #[must_use]
    pub fn fixed<S: DidSigner>(bundle: &IdentityBundle<S>) -> Self {
        Self::following(bundle.did(), TlsSlot::new(bundle.tls_slot().current()))
    }

    pub(super) fn following(did: &Did, slot: Arc<TlsSlot>) -> Self {
        Self(Arc::new(Inner { did: did.clone(), followed: RwLock::new(slot) }))
    }

    /// Follows another bundle of the same DID from the next handshake on, as one that
    /// was opened again. Not needed for a bundle that is renewed in place.
    ///
    /// # Errors
    ///
    /// [`ReplaceError`] if the bundle is another DID's, or an older one of the
    /// same: of an earlier epoch, or with a lower number in the same one, whatever
    /// its instance is. Nothing is changed then. A renewal of the bundle in use at this
    /// very moment may still get a higher number, by which peers refuse the new one.
    pub fn replace<S: DidSigner>(&self, bundle: &IdentityBundle<S>) -> Result<(), ReplaceError> {
        if *bundle.did() != self.0.did {
            let (expected, found) = (self.0.did.clone(), bundle.did().clone());
            return Err(ReplaceError::OtherDid { expected, found });
        }
        let new = bundle.tls_slot();
        let mut followed = self.0.followed.write().unwrap_or_else(PoisonError::into_inner);
        let number = |slot: &TlsSlot| slot.current().binding.number();
        let (before, after) = (number(&followed), number(&new));
        if after.epoch < before.epoch {
            let (current, found) = (before.epoch, after.epoch);
            return Err(ReplaceError::EarlierEpoch { current, found });
        }
        if after < before {
            let (current, found) = (before.sequence, after.sequence);
            return Err(ReplaceError::Older { current, found });
        }
        *followed = new;
        Ok(())
    }

    /// Whose it is.
    #[must_use]
    pub fn did(&self) -> &Did {
        &self.0.did
    }

    /// The sequence number of the binding in use, which counts for its instance.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.current().binding.sequence()
    }

    /// The epoch of the binding in use, which counts for its DID.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.current().binding.epoch()
    }

    /// The instance of the binding in use. `None` if it is of an older version,
    /// which peers refuse.
    #[must_use]
    pub fn instance(&self) -> Option<Instance> {
        self.current().binding.instance().copied()
    }

    fn current(&self) -> Arc<TlsPart> {
        self.0.followed.read().unwrap_or_else(PoisonError::into_inner).current()
    }

    /// That the key is the certificate's, the bundle has checked.
    fn certified(&self) -> Arc<CertifiedKey> {
        let part = self.current();
        let cert = vec![CertificateDer::from(part.certificate.clone())];
        Arc::new(CertifiedKey { cert, key: Arc::new(TlsKey::of(part)), ocsp: None })
    }
}

impl ResolvesServerCert for TlsIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }
}

impl ResolvesClientCert for TlsIdentity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("did", &self.0.did)
            .field("binding", &self.current().binding)
            .finish_non_exhaustive()
    }
}

/// Why a certificate in use was not replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplaceError {
    /// The bundle is another DID's.
    #[error("the certificate in use is that of {expected}, the bundle is that of {found}")]
    OtherDid {
        /// Whose is in use.
        expected: Did,
        /// Whose the bundle is.
        found: Did,
    },
    /// The bundle is of an earlier epoch, which the one in use has ended.
    #[error("the certificate in use is of epoch {current}, the bundle is of epoch {found}")]
    EarlierEpoch {
        /// The epoch in use.
        current: u64,
        /// That of the bundle.
        found: u64,
    },
    /// The bundle is older: peers that have seen the one in use refuse it.
    #[error("the certificate in use has number {current}, the bundle has number {found}")]
    Older {
        /// The sequence number in use.
        current: u64,
        /// That of the bundle.
        found: u64,
    },
}

explain!(ReplaceError);

impl ReplaceError {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::OtherDid { .. } => ErrorKind::OtherIdentity,
            Self::EarlierEpoch { .. } | Self::Older { .. } => ErrorKind::Superseded,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::OtherDid { .. } => "make a `TlsIdentity` of its own for the other DID",
            Self::EarlierEpoch { current, .. } => {
                return Some(format!(
                    "let the bundle join epoch {current}: `IdentityStore::join_epoch`, or its own \
                     `join_epoch` if it has no store"
                ));
            }
            Self::Older { .. } => {
                "renew the bundle (`renew_if_due` takes over what its store holds), or open the \
                 identity again"
            }
        };
        Some(help.to_owned())
    }
}
