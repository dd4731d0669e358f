//! Mutual TLS between DIDs (feature `tls`), by rustls.
//!
//! A [`Server`] and a [`Client`] have an identity and a [`DidVerifier`], which says who
//! may be at the other end. [`accept`] and [`connect`] make a [`Stream`] of any transport
//! that blocks, and it has the peer's [`VerifiedPeer`](crate::peer::VerifiedPeer):
//!
//! ```
//! use std::io::{Read as _, Write as _};
//! use std::net::{TcpListener, TcpStream};
//! use std::sync::Arc;
//!
//! use icn_identity::tls::{self, DidVerifier};
//! use icn_identity::{IdentityBundle, Key};
//!
//! let alice = IdentityBundle::issue(Key::generate()?)?;
//! let bob = IdentityBundle::issue(Key::generate()?)?;
//!
//! let server = bob.tls_server(&Arc::new(DidVerifier::allowed([alice.did().clone()])))?;
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let serving = std::thread::spawn(move || {
//!     let (socket, _) = listener.accept()?;
//!     let mut stream = tls::accept(socket, &server)?;
//!     let did = stream.did().clone();
//!     stream.write_all(format!("hello {did}").as_bytes())?;
//!     stream.close()?;
//!     Ok::<_, tls::TlsError>(did)
//! });
//!
//! let client = alice.tls_client(&Arc::new(DidVerifier::named()))?;
//! let mut stream = tls::connect(TcpStream::connect(address)?, &client, bob.did())?;
//! assert_eq!(stream.did(), bob.did());
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer)?;
//! assert_eq!(answer, format!("hello {}", alice.did()));
//! assert_eq!(serving.join().unwrap()?, *alice.did());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A connection knows its peer because it was made here, with a configuration that nobody
//! else has had in hand. Of a connection of rustls that was made elsewhere nothing is said,
//! whatever certificate the peer has shown; there is nobody to ask:
//!
//! ```compile_fail,E0599
//! use icn_identity::peer::VerifiedPeer;
//! use icn_identity::tls::{DidVerifier, rustls};
//!
//! fn who(verifier: &DidVerifier, other: &rustls::ClientConnection) -> VerifiedPeer {
//!     verifier.peer(other).unwrap()
//! }
//! ```
//!
//! TLS 1.3 only, Ed25519 only, both sides with a certificate. No session is
//! resumed and no data is sent early: both would pass the verifier by. See
//! `docs/tls.md` for what is checked, and for what a stolen TLS key means.

#[cfg(feature = "tokio")]
mod async_stream;
mod config;
mod connection;
mod endpoint;
mod error;
mod identity;
mod policy;
#[cfg(feature = "client")]
mod remote;
mod signing;
mod stream;
pub mod testing;
mod verifier;

use std::error::Error as StdError;
use std::io;

use rustls::pki_types::{DnsName, ServerName};
use rustls::{CertificateError, OtherError};

#[cfg(feature = "tokio")]
pub use async_stream::{AsyncStream, accept_async, connect_async};
pub use connection::Connection;
pub use endpoint::{Client, Server};
pub(crate) use error::kind_of;
pub use error::{PeerError, TlsError};
pub use identity::{ReplaceError, TlsIdentity};
pub use rustls;
pub use stream::{Stream, accept, connect};
pub use verifier::{DEFAULT_CLOCK_SKEW, DEFAULT_LONGEST_VALIDITY, DidVerifier};

use crate::peer::Refusal;
pub use crate::peer::{Highest, MemorySequences, SequenceError, SequenceStore};

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
