//! The statement by which a DID key vouches for its companions.

mod extension;

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

pub(crate) use self::extension::{Extension, OID, Unreadable};
use crate::algorithm::{BadSignature, Signature};
use crate::clock;
use crate::did::Did;
use crate::encoding::{base64, hex};
use crate::statement::{Purpose, Statement};

/// How far peers' clocks may differ from ours: 300 seconds. A new binding
/// begins that long before it is made.
pub(crate) const CLOCK_SKEW: u64 = 300;

/// DID, TLS key, X25519 key and validity, signed by the DID key.
///
/// Signed bytes: `icn-identity/binding/v1` and a zero byte, then DID and
/// SubjectPublicKeyInfo (each preceded by its length as big-endian `u64`), the
/// 32 bytes of the X25519 key, and not-before, not-after and sequence number
/// as big-endian `u64`. Times are Unix seconds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    did: Did,
    #[serde(with = "base64")]
    tls_spki: Vec<u8>,
    #[serde(with = "hex")]
    x25519_public: [u8; 32],
    not_before: u64,
    not_after: u64,
    sequence: u64,
    #[serde(with = "base64")]
    signature: [u8; 64],
}

/// What is bound, before it is signed.
pub(crate) struct Terms {
    pub(crate) tls_spki: Vec<u8>,
    pub(crate) x25519_public: [u8; 32],
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) sequence: u64,
}

impl Binding {
    /// As somebody tells it; [`Self::verify`] says whether it is true.
    pub(crate) fn unverified(did: Did, terms: Terms, signature: [u8; 64]) -> Self {
        let Terms { tls_spki, x25519_public, not_before, not_after, sequence } = terms;
        Self { did, tls_spki, x25519_public, not_before, not_after, sequence, signature }
    }

    /// The bytes that are signed.
    pub(crate) fn statement(&self) -> Vec<u8> {
        Statement::new(Purpose::Binding)
            .field(self.did.as_str().as_bytes())
            .field(&self.tls_spki)
            .raw(&self.x25519_public)
            .number(self.not_before)
            .number(self.not_after)
            .number(self.sequence)
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

    /// Whether two thirds of the validity are over; or it begins more than 300
    /// seconds later, so that peers refuse it: a clock was ahead when it was
    /// made. Never by a clock that was not set, one before 2026.
    #[must_use]
    pub fn wants_renewal(&self, at: SystemTime) -> bool {
        let now = clock::unix(at);
        let early = now.saturating_add(CLOCK_SKEW) < self.not_before;
        let validity = self.not_after.saturating_sub(self.not_before);
        let late = now >= self.not_before.saturating_add(validity / 3 * 2);
        clock::is_set(at) && (early || late)
    }

    /// The DID that signed.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// SubjectPublicKeyInfo of the TLS key, DER (RFC 8410): 44 bytes.
    #[must_use]
    pub fn tls_spki(&self) -> &[u8] {
        &self.tls_spki
    }

    /// The X25519 public key (RFC 7748).
    #[must_use]
    pub const fn x25519_public_key(&self) -> &[u8; 32] {
        &self.x25519_public
    }

    /// First second of validity, Unix time.
    #[must_use]
    pub const fn not_before(&self) -> u64 {
        self.not_before
    }

    /// Last second of validity, Unix time.
    #[must_use]
    pub const fn not_after(&self) -> u64 {
        self.not_after
    }

    /// The time (Unix seconds) at which it was made, or one more than that of
    /// the binding before if that is higher: so it grows with every renewal,
    /// also of a copy that is older than what peers have seen.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(crate) const fn signature(&self) -> &[u8; 64] {
        &self.signature
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding")
            .field("did", &self.did)
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}
