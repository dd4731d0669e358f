//! The statement by which a DID key vouches for its companions.

mod extension;
mod instance;
mod stored;
#[cfg(any(feature = "tls", feature = "client"))]
mod tls_part;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

pub(crate) use self::extension::{Extension, OID, Unreadable};
pub use self::instance::{BindingNumber, Instance};
use self::stored::Stored;
pub use self::stored::UnverifiedBinding;
#[cfg(any(feature = "tls", feature = "client"))]
pub(crate) use self::tls_part::{TlsPart, TlsSlot};
use crate::algorithm::{BadSignature, Signature, X25519PublicKey};
use crate::clock;
use crate::did::Did;
use crate::statement::{Purpose, Statement};

/// How far peers' clocks may differ from ours: 300 seconds. A new binding
/// begins that long before it is made.
pub(crate) const CLOCK_SKEW: u64 = 300;

/// DID, TLS key, X25519 key and validity, signed by the DID key.
///
/// Signed bytes: `icn-identity/binding/v1` and a zero byte, then DID and
/// SubjectPublicKeyInfo (each preceded by its length as big-endian `u64`), the
/// 32 bytes of the X25519 key, not-before, not-after and sequence number as
/// big-endian `u64`, the 16 bytes of the instance, and the epoch as big-endian
/// `u64`. Times are Unix seconds.
///
/// The old form, from before there were instances, ends with the sequence number.
/// It is read from storage only, and renewed at once: peers refuse it.
///
/// It is had from a bundle, or from a certificate that was verified. What is read from
/// JSON is an [`UnverifiedBinding`].
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(into = "Stored")]
pub struct Binding {
    did: Did,
    terms: Terms,
    signature: [u8; 64],
}

/// What is bound, before it is signed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) tls_spki: Vec<u8>,
    pub(crate) x25519_public: [u8; 32],
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) sequence: u64,
    /// None in the old form.
    pub(crate) holder: Option<Holder>,
}

/// Which holder of the DID, and the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) instance: Instance,
    pub(crate) epoch: u64,
}

impl Binding {
    /// As somebody tells it; [`Self::verify`] says whether it is true.
    pub(crate) const fn unverified(did: Did, terms: Terms, signature: [u8; 64]) -> Self {
        Self { did, terms, signature }
    }

    /// The bytes that are signed. Those of the two forms differ in their length,
    /// so that neither is taken for the other.
    pub(crate) fn statement(&self) -> Vec<u8> {
        let terms = &self.terms;
        let statement = Statement::new(Purpose::Binding)
            .field(self.did.as_str().as_bytes())
            .field(&terms.tls_spki)
            .raw(&terms.x25519_public)
            .number(terms.not_before)
            .number(terms.not_after)
            .number(terms.sequence);
        match &terms.holder {
            Some(holder) => statement.raw(holder.instance.as_bytes()).number(holder.epoch),
            None => statement,
        }
        .into_bytes()
    }

    /// With its signature, if that verifies: ours or not, another is never stored.
    pub(crate) fn signed(mut self, signature: &Signature) -> Result<Self, BadSignature> {
        self.signature = *signature.as_bytes();
        self.verify()?;
        Ok(self)
    }

    /// Verifies the signature under the DID's key. Times are not looked at.
    ///
    /// # Errors
    ///
    /// [`BadSignature`].
    pub fn verify(&self) -> Result<(), BadSignature> {
        let key = self.did.verifying_key();
        let signature = Signature::from_bytes(key.algorithm(), self.signature);
        key.verify_strict(&self.statement(), &signature)
    }

    /// Whether two thirds of the validity are over, or peers refuse it: because it
    /// begins more than 300 seconds later (a clock was ahead when it was made), or
    /// names no instance. Never by a clock that was not set, one before 2026.
    #[must_use]
    pub fn wants_renewal(&self, at: SystemTime) -> bool {
        let now = clock::unix(at);
        let (begin, end) = (self.not_before(), self.not_after());
        let early = now.saturating_add(CLOCK_SKEW) < begin;
        let late = now >= two_thirds(begin, end);
        clock::is_set(at) && (early || late || self.terms.holder.is_none())
    }

    /// When two thirds of the validity are over. For a binding that peers refuse now,
    /// since it begins more than 300 seconds later by the system's clock or names no
    /// instance, a time that has passed long ago (1970).
    #[must_use]
    pub fn renewal_due_at(&self) -> SystemTime {
        let early = clock::now().saturating_add(CLOCK_SKEW) < self.not_before();
        if early || self.terms.holder.is_none() {
            return UNIX_EPOCH;
        }
        let due = Duration::from_secs(two_thirds(self.not_before(), self.not_after()));
        UNIX_EPOCH.checked_add(due).unwrap_or(UNIX_EPOCH)
    }

    /// The DID that signed.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// SubjectPublicKeyInfo of the TLS key, DER (RFC 8410): 44 bytes.
    #[must_use]
    pub fn tls_spki(&self) -> &[u8] {
        &self.terms.tls_spki
    }

    /// The X25519 public key (RFC 7748).
    #[must_use]
    pub const fn x25519_public_key(&self) -> X25519PublicKey {
        X25519PublicKey::from_bytes(self.terms.x25519_public)
    }

    /// First second of validity, Unix time.
    #[must_use]
    pub const fn not_before(&self) -> u64 {
        self.terms.not_before
    }

    /// Last second of validity, Unix time.
    #[must_use]
    pub const fn not_after(&self) -> u64 {
        self.terms.not_after
    }

    /// The time (Unix seconds) at which it was made, or one more than that of
    /// the binding before if that is higher: so it grows with every renewal,
    /// also of a copy that is older than what peers have seen. It counts for the
    /// [`Self::instance`].
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.terms.sequence
    }

    /// Which holder of the DID it is of. `None` only for an identity from before
    /// there were instances, until it is renewed.
    #[must_use]
    pub const fn instance(&self) -> Option<&Instance> {
        match &self.terms.holder {
            Some(holder) => Some(&holder.instance),
            None => None,
        }
    }

    /// The epoch of the DID: peers that have seen a later one refuse it, whatever
    /// its instance and number. 0 until one is begun by
    /// [`IdentityStore::renew_all_instances`](crate::keystore::IdentityStore::renew_all_instances).
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        match &self.terms.holder {
            Some(holder) => holder.epoch,
            None => 0,
        }
    }

    /// Epoch and sequence number, as they are compared.
    #[must_use]
    pub const fn number(&self) -> BindingNumber {
        BindingNumber { epoch: self.epoch(), sequence: self.sequence() }
    }

    pub(crate) const fn holder(&self) -> Option<Holder> {
        self.terms.holder
    }

    pub(crate) const fn signature(&self) -> &[u8; 64] {
        &self.signature
    }
}

const fn two_thirds(begin: u64, end: u64) -> u64 {
    begin.saturating_add(end.saturating_sub(begin) / 3 * 2)
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding")
            .field("did", &self.did)
            .field("not_before", &self.not_before())
            .field("not_after", &self.not_after())
            .field("sequence", &self.sequence())
            .field("instance", &self.instance())
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}
