//! The own side of connections: certificate and key, which can be replaced.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::signing::TlsKey;
use crate::binding::{BindingNumber, Instance};
use crate::bundle::IdentityBundle;
use crate::did::Did;
use crate::kind::{ErrorKind, explain};
use crate::signer::DidSigner;

/// The TLS key and certificate of a bundle, as rustls uses them.
///
/// Clones share them: [`Self::replace`] on one reaches every configuration
/// that was made of any, so that listeners that run use the renewed
/// certificate from the next handshake on. The DID key is not in here.
#[derive(Clone)]
pub struct TlsIdentity(Arc<Inner>);

struct Inner {
    did: Did,
    current: RwLock<Current>,
}

#[derive(Clone)]
struct Current {
    /// None if the bundle is of an older version: peers refuse it.
    instance: Option<Instance>,
    number: BindingNumber,
    key: Arc<CertifiedKey>,
}

impl TlsIdentity {
    /// Takes TLS key and certificate from a bundle. The key goes into locked
    /// memory of its own.
    #[must_use]
    pub fn new<S: DidSigner>(bundle: &IdentityBundle<S>) -> Self {
        let current = RwLock::new(Current::of(bundle));
        Self(Arc::new(Inner { did: bundle.did().clone(), current }))
    }

    /// Uses the TLS key and certificate of a bundle that was renewed, from the
    /// next handshake on. Connections that are open are left alone.
    ///
    /// # Errors
    ///
    /// [`ReplaceError`] if the bundle is another DID's, or an older one of the
    /// same: of an earlier epoch, or with a lower number in the same one, whatever
    /// its instance is. Nothing is changed then.
    pub fn replace<S: DidSigner>(&self, bundle: &IdentityBundle<S>) -> Result<(), ReplaceError> {
        if *bundle.did() != self.0.did {
            let (expected, found) = (self.0.did.clone(), bundle.did().clone());
            return Err(ReplaceError::OtherDid { expected, found });
        }
        let new = Current::of(bundle);
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        let (before, after) = (current.number, new.number);
        if after.epoch < before.epoch {
            let (current, found) = (before.epoch, after.epoch);
            return Err(ReplaceError::EarlierEpoch { current, found });
        }
        if after < before {
            let (current, found) = (before.sequence, after.sequence);
            return Err(ReplaceError::Older { current, found });
        }
        *current = new;
        Ok(())
    }

    /// Whose it is.
    #[must_use]
    pub fn did(&self) -> &Did {
        &self.0.did
    }

    /// The sequence number of the binding in use.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.current().number.sequence
    }

    /// The epoch of the binding in use.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.current().number.epoch
    }

    /// The instance of the binding in use. `None` if it is of an older version,
    /// which peers refuse.
    #[must_use]
    pub fn instance(&self) -> Option<Instance> {
        self.current().instance
    }

    fn current(&self) -> Current {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Current {
    fn of<S: DidSigner>(bundle: &IdentityBundle<S>) -> Self {
        let certificate = CertificateDer::from(bundle.certificate_der().to_vec());
        let key = Arc::new(TlsKey::of(bundle.companions()));
        Self {
            instance: bundle.binding().instance().copied(),
            number: bundle.binding().number(),
            // That the key is the certificate's, the bundle has checked.
            key: Arc::new(CertifiedKey { cert: vec![certificate], key, ocsp: None }),
        }
    }
}

impl ResolvesServerCert for TlsIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current().key)
    }
}

impl ResolvesClientCert for TlsIdentity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current().key)
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("did", &self.0.did)
            .field("instance", &self.instance())
            .field("number", &self.current().number)
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
            Self::Older { .. } => "open the identity again: the store holds the latest bundle",
        };
        Some(help.to_owned())
    }
}
