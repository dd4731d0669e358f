//! What a peer shows of itself, and what is known once it was verified.
//!
//! A peer shows a certificate that carries its **binding**: its DID's
//! signature over the TLS key, the X25519 key and the validity. What is checked
//! is in [`Refusal`], one variant per reason. [`VerifiedDid`] is what stands at
//! the end: nothing but a TLS connection of this crate makes one (feature `tls`).
//! Which peers are accepted, and what was seen of them, is in a [`PeerBook`].

#[cfg(feature = "keystore")]
mod book;
mod book_error;
mod certificate;
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(crate) mod formats;
mod recent;
mod refusal;
mod sequence;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[cfg(feature = "keystore")]
pub use book::{Followed, Peer, PeerBook, Removed};
pub use book_error::BookError;
#[cfg(feature = "tls")]
pub(crate) use certificate::Role;
#[cfg(any(feature = "keystore", feature = "client"))]
pub(crate) use certificate::SIGNATURE_PREFIX;
#[cfg(feature = "keystore")]
pub(crate) use certificate::tls_key;
pub(crate) use certificate::{Certificate, Proven, SPKI_PREFIX};
#[cfg(feature = "tls")]
pub(crate) use recent::Recent;
pub use refusal::Refusal;
pub use sequence::{Highest, MemorySequences, SequenceError, SequenceStore};

use crate::algorithm::X25519PublicKey;
pub use crate::binding::{Binding, BindingNumber, Instance};
use crate::did::Did;

/// The DID of a peer that proved it in a handshake.
///
/// Made by a connection of this crate (feature `tls`) only: neither from a [`Did`]
/// nor from a file. Code that acts on a peer's behalf demands this type:
///
/// ```
/// use icn_identity::peer::VerifiedDid;
///
/// fn withdraw(from: &VerifiedDid, amount: u64) -> String {
///     format!("{amount} from {from}")
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VerifiedDid(Did);

impl VerifiedDid {
    /// The DID. That it was verified is lost with this type.
    #[must_use]
    pub const fn as_did(&self) -> &Did {
        &self.0
    }

    /// The whole text, `did:…`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq<Did> for VerifiedDid {
    fn eq(&self, other: &Did) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for VerifiedDid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for VerifiedDid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedDid({})", self.0)
    }
}

/// What a peer's binding said when it was verified.
///
/// A snapshot: the binding ends, and a connection does not end with it. Ask
/// the verifier again on connections that live long.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedPeer {
    did: VerifiedDid,
    x25519_public: X25519PublicKey,
    not_after: u64,
    instance: Instance,
    number: BindingNumber,
}

impl VerifiedPeer {
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "made by the verifier"))]
    pub(crate) fn new(proven: &Proven) -> Self {
        let binding = proven.binding();
        Self {
            did: VerifiedDid(binding.did().clone()),
            x25519_public: binding.x25519_public_key(),
            not_after: binding.not_after(),
            instance: *proven.instance(),
            number: binding.number(),
        }
    }

    /// Who the peer is.
    #[must_use]
    pub const fn did(&self) -> &VerifiedDid {
        &self.did
    }

    /// As [`Self::did`], and nothing else of the peer.
    #[must_use]
    pub fn into_did(self) -> VerifiedDid {
        self.did
    }

    /// The X25519 public key (RFC 7748) that the DID vouches for.
    #[must_use]
    pub const fn x25519_public_key(&self) -> X25519PublicKey {
        self.x25519_public
    }

    /// When the binding ends.
    #[must_use]
    pub fn valid_until(&self) -> SystemTime {
        // Dates of certificates end with the year 9999.
        UNIX_EPOCH.checked_add(Duration::from_secs(self.not_after)).unwrap_or(UNIX_EPOCH)
    }

    /// Which holder of the DID it is. Not one machine: a restart may make another.
    #[must_use]
    pub const fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The epoch of the binding, which counts for its DID: no time.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.number.epoch
    }

    /// The binding's sequence number, which counts for its instance.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.number.sequence
    }
}

impl fmt::Debug for VerifiedPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedPeer")
            .field("did", &self.did)
            .field("instance", &self.instance)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
