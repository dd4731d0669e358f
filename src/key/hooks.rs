//! What the traits of this room demand of a key's inside. In public traits, and
//! not for the public.
#![allow(unnameable_types, reason = "nobody outside can name them, and so use them")]

use super::public::Public;
use super::state::Unlocked;
use crate::algorithm::{Algorithm, Signature};
use crate::fault::SignError;
use crate::private::{Closed, Token};
use crate::secret::NoRandomness;

/// What a key of one provenance holds in one state.
pub trait Store<S, A>: Closed {
    /// The private half, or the handle to it.
    type Material: Send + Sync + 'static;
}

/// Signs with the unlocked material of one provenance.
pub trait SignWith<A: Algorithm>: Store<Unlocked, A> {
    /// **Blocks** while a device signs. Signs exactly the bytes of `message`. Generic
    /// code outside can name this method through its bounds; the token keeps it from
    /// being called.
    fn sign_with(
        _: Token,
        material: &Self::Material,
        public: &Public,
        message: &[u8],
    ) -> Result<Signature, SignError>;

    /// **Blocks** while a device signs. Signs a SHA-256 as ECDSA does, if it can.
    fn sign_sha256_with(
        _: Token,
        material: &Self::Material,
        public: &Public,
        digest: &[u8; 32],
    ) -> Option<Result<Signature, SignError>>;

    /// Whether each signature has been verified by then, or cannot be another's.
    fn verifies(_: Token, material: &Self::Material) -> bool;
}

/// Makes a key in memory. Implemented for the one key type that is made so.
pub trait Makes: Closed {
    /// A new key.
    fn make(_: Token) -> Result<Self, NoRandomness>;

    /// The key of a seed.
    fn of_seed(_: Token, seed: &[u8; 32]) -> Self;
}

/// Lends the seed. Implemented for the one key type that has it.
pub trait Exposes: Closed {
    /// The 32-byte seed.
    fn seed(&self, _: Token) -> &[u8; 32];
}
