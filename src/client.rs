//! A key that another process keeps: signing and decrypting by the daemon that has it.
//!
//! The daemon listens at a Unix socket and speaks HTTP and JSON. A [`RemoteIdentity`] is of
//! one DID, which is known before: it has the daemon show that it has this DID's key, on each
//! connection, before anything else is asked. What comes back is verified under that DID.
//!
//! ```no_run
//! use icn_identity::client::RemoteIdentity;
//! use icn_identity::{Did, DidSigner};
//!
//! let did = Did::parse("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK")?;
//! let identity = RemoteIdentity::connect("/run/icnd/icnd.sock", did)?;
//! let signature = identity.signer().sign_for("payments@coop.example", b"100 to Ada")?;
//! # Ok::<(), icn_identity::Error>(())
//! ```
//!
//! | what | what it is checked by |
//! |---|---|
//! | the socket | it belongs to the user that the daemon runs as (by default the caller's own), or to root; and so does the process at its other end |
//! | the daemon | 32 fresh bytes, and the user that it sees at this end, signed by the key of the DID |
//! | a signature | it verifies under the DID, for that message and context, before it is given out |
//! | a DID document, a rotation chain | by its own signatures; it has to be of the DID |
//! | a TLS certificate | as a peer does; it has to be of the pinned DID, and of the key and the instance of this process |
//! | an answer | HTTP/1.1 with a length, at most 16 KiB of head and 1 MiB of body, within a time (10 s) that is the same for a slow answer and for none |
//!
//! A program that wants TLS under the DID has a TLS key of its own, and the daemon bind it:
//! [`RemoteIdentity::tls`].
//!
//! Where the key is, nothing proves: [`RemoteSigner`] is a signer whose custody is
//! [`Custody::Reported`](crate::Custody::Reported), whatever the daemon says of its key. It
//! signs no statement of this crate, so that no bundle and no rotation is made by it.

mod answers;
mod connection;
mod error;
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(crate) mod formats;
mod identity;
mod problem;
mod server;
mod tls;

pub use self::answers::{FileKey, Status};
pub use self::error::ClientError;
pub use self::identity::{RemoteIdentity, RemoteOptions, RemoteSigner};
pub use self::problem::Problem;
pub use self::tls::RemoteTls;
