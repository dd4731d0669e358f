//! Handshakes in memory, for tests of code that demands a
//! [`VerifiedDid`](crate::peer::VerifiedDid).
//!
//! Nothing is weaker here than over a network: two bundles, each with its key, make a real
//! handshake, each verified by the other. So no test needs a way around the proof, and there
//! is none. `docs/testing.md` shows how to use it.

mod pipe;

use std::sync::Arc;

pub use self::pipe::Pipe;
use super::{Client, Connection, DidVerifier, Server, Stream, TlsError};
use crate::bundle::IdentityBundle;
use crate::did::Did;
use crate::peer::VerifiedPeer;
use crate::signer::DidSigner;

/// Two who have met: each as the other has verified it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Met {
    /// The one that called, as the server knows it.
    pub client: VerifiedPeer,
    /// The one that was called, as the client knows it.
    pub server: VerifiedPeer,
}

/// A handshake between two bundles in memory, which pin each other.
///
/// ```
/// use icn_identity::tls::testing;
/// use icn_identity::{IdentityBundle, Key};
///
/// let alice = IdentityBundle::issue(Key::generate()?)?;
/// let bank = IdentityBundle::issue(Key::generate()?)?;
/// let met = testing::handshake(&alice, &bank)?;
/// assert_eq!(met.client.did(), alice.did());
/// assert_eq!(met.server.did(), bank.did());
/// # Ok::<(), icn_identity::Error>(())
/// ```
///
/// # Errors
///
/// [`TlsError`] if one of them is no acceptable peer, for instance because its binding has
/// ended.
pub fn handshake<C: DidSigner, S: DidSigner>(
    client: &IdentityBundle<C>,
    server: &IdentityBundle<S>,
) -> Result<Met, TlsError> {
    let calling = client.tls_client(&Arc::new(DidVerifier::named()))?;
    let called = server.tls_server(&Arc::new(DidVerifier::pinned(client.did().clone())))?;
    let (calling, called) = shake(&calling, server.did(), &called)?;
    Ok(Met { client: called.peer()?, server: calling.peer()? })
}

/// The two ends of a connection.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ends {
    /// The end of the one that called.
    pub client: Stream<Pipe>,
    /// The end of the one that was called.
    pub server: Stream<Pipe>,
}

/// A connection in memory, made as by [`connect`](super::connect) and
/// [`accept`](super::accept): for tests of what is said over it, and of the verifiers, books
/// and certificates that a program has.
///
/// # Errors
///
/// [`TlsError`] of the side that refuses the other.
pub fn connection(client: &Client, did: &Did, server: &Server) -> Result<Ends, TlsError> {
    let (calling, called) = shake(client, did, server)?;
    let (one, other) = Pipe::pair();
    Ok(Ends { client: Stream::of(one, calling)?, server: Stream::of(other, called)? })
}

/// In one thread: what one side writes, the other reads.
fn shake(
    client: &Client,
    did: &Did,
    server: &Server,
) -> Result<(Connection, Connection), TlsError> {
    let (mut calling, mut called) = (client.connection(did)?, server.connection()?);
    while calling.is_handshaking() || called.is_handshaking() {
        carry(&mut calling, &mut called)?;
        carry(&mut called, &mut calling)?;
    }
    Ok((calling, called))
}

fn carry(from: &mut Connection, to: &mut Connection) -> Result<(), TlsError> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire)?;
    }
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest)?;
        to.process()?;
    }
    Ok(())
}
