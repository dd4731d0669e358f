//! Raw X25519 (RFC 7748), for protocols that have their own.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::super::IdentityBundle;
use crate::algorithm::X25519PublicKey;
use crate::kind::{ErrorKind, explain};
use crate::signer::DidSigner;

/// What two X25519 keys agree on: 32 bytes, wiped when dropped.
///
/// Not a key yet: hash it, with both public keys, as your protocol says.
/// `Debug` shows nothing of it.
pub struct SharedSecret(Box<Zeroizing<[u8; 32]>>);

impl SharedSecret {
    /// The 32 bytes of RFC 7748, section 6.1.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSecret").finish_non_exhaustive()
    }
}

/// The peer's key is one of those with which every key agrees on zero (a point
/// of small order): nothing of our own would be in the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer's X25519 key has small order: the result would not depend on our key")]
pub struct NotContributory(());

explain!(NotContributory);

impl NotContributory {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Untrusted
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some("end the protocol with this peer: nobody has such a key by chance".into())
    }
}

impl<S: DidSigner> IdentityBundle<S> {
    /// X25519 of the bundle's key with a peer's public key (RFC 7748, section
    /// 6.1).
    ///
    /// Static keys on both sides have no forward secrecy; let the peer's be
    /// ephemeral where you can.
    ///
    /// # Errors
    ///
    /// [`NotContributory`] if the result is zero. That is looked at in constant
    /// time.
    pub fn diffie_hellman(&self, peer: &X25519PublicKey) -> Result<SharedSecret, NotContributory> {
        agree(self.companions().x25519.as_bytes(), peer.as_bytes())
    }
}

pub(super) fn agree(secret: &[u8; 32], peer: &[u8; 32]) -> Result<SharedSecret, NotContributory> {
    let mut shared = Box::new(Zeroizing::new([0; 32]));
    **shared = x25519_dalek::x25519(*secret, *peer);
    if bool::from(shared.ct_eq(&[0; 32])) {
        return Err(NotContributory(()));
    }
    Ok(SharedSecret(shared))
}
