//! Mutual TLS between DIDs (feature `tls`), by rustls.
//!
//! A bundle gives the configuration, a [`DidVerifier`] says who may be at the
//! other end, and after the handshake it gives the peer's
//! [`VerifiedPeer`](crate::peer::VerifiedPeer):
//!
//! ```
//! use std::sync::Arc;
//!
//! use icn_identity::tls::{self, DidVerifier};
//! use icn_identity::{IdentityBundle, Key};
//!
//! let alice = IdentityBundle::issue(Key::generate()?)?;
//! let bob = IdentityBundle::issue(Key::generate()?)?;
//! let (alices, bobs) = (
//!     Arc::new(DidVerifier::pinned(bob.did().clone())),
//!     Arc::new(DidVerifier::pinned(alice.did().clone())),
//! );
//! let server = Arc::new(alice.tls_server_config(&alices)?);
//! let client = Arc::new(bob.tls_client_config(&bobs)?);
//!
//! // Any transport will do; here it is memory.
//! let mut server = rustls::ServerConnection::new(server)?;
//! let mut client = rustls::ClientConnection::new(client, tls::server_name())?;
//! let mut wire = Vec::new();
//! while client.is_handshaking() || server.is_handshaking() {
//!     client.write_tls(&mut wire)?;
//!     server.read_tls(&mut wire.drain(..).collect::<Vec<_>>().as_slice())?;
//!     server.process_new_packets()?;
//!     server.write_tls(&mut wire)?;
//!     client.read_tls(&mut wire.drain(..).collect::<Vec<_>>().as_slice())?;
//!     client.process_new_packets()?;
//! }
//! assert_eq!(alices.peer(&server)?.did(), bob.did());
//! assert_eq!(bobs.peer(&client)?.did(), alice.did());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! TLS 1.3 only, Ed25519 only, both sides with a certificate. No session is
//! resumed and no data is sent early: both would pass the verifier by. See
//! `docs/tls.md` for what is checked, and for what a stolen TLS key means.

mod config;
mod identity;
mod policy;
mod recent;
mod sequence;
mod session;
mod signing;
mod verifier;

use std::error::Error as StdError;
use std::io;

use rustls::pki_types::{DnsName, ServerName};
use rustls::{CertificateError, OtherError};

pub use identity::{ReplaceError, TlsIdentity};
pub use sequence::{Highest, MemorySequences, SequenceError, SequenceStore};
pub use session::PeerError;
pub use verifier::{DEFAULT_CLOCK_SKEW, DEFAULT_LONGEST_VALIDITY, DidVerifier};

use crate::peer::Refusal;

/// A name for [`rustls::ClientConnection::new`], which wants one.
///
/// It is neither sent nor looked at: who the server is, is its DID, and the
/// verifier says which are accepted. Any other name does as well.
#[must_use]
pub fn server_name() -> ServerName<'static> {
    // A name that cannot be anybody's (RFC 2606, section 2).
    DnsName::try_from("did.invalid").map_or_else(
        |_| ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into()),
        ServerName::DnsName,
    )
}

/// The reason why a [`DidVerifier`] refused a peer, if that is what an error is
/// about: a [`rustls::Error`], or the [`io::Error`] that a stream makes of it.
#[must_use]
pub fn refusal_of<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Refusal> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return refusal_of(error.get_ref()?);
    }
    match error.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) => {
            reason.downcast_ref()
        }
        _ => None,
    }
}
