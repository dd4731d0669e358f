//! What outsiders cannot name, and so can neither implement, override nor call.
#![allow(unnameable_types, reason = "that is what this module is for")]

use crate::algorithm::{Algorithm, Signature};
use crate::fault::SignError;
use crate::key::Public;

/// Closes a trait: only this crate can implement it.
///
/// `Sized` matters: without it an outsider could write
/// `impl NeverExposed for dyn LocalTrait {}`, because a blanket or missing
/// bound would be satisfied by a type of theirs.
#[diagnostic::on_unimplemented(
    message = "this trait is sealed: `{Self}` cannot join from outside",
    label = "only types of `icn_identity` have this trait",
    note = "what a key is, is decided by evidence that the crate reads; a signer written elsewhere \
            joins by `Key::<External, Unlocked>::from_external`, or by `from_external_p256`"
)]
pub trait Closed: Sized {}

/// What a key of one provenance holds in one state.
pub trait Store<S, A>: Closed {
    /// The private half, or the handle to it.
    type Material: Send + Sync + 'static;
}

/// Signs with the unlocked material of one provenance.
pub trait SignWith<A: Algorithm>: Store<crate::key::Unlocked, A> {
    /// Signs exactly the bytes of `message`. Generic code outside can name this
    /// method through its bounds; the token keeps it from being called.
    fn sign_with(
        _: Token,
        material: &Self::Material,
        public: &Public,
        message: &[u8],
    ) -> Result<Signature, SignError>;
}

/// Lends the seed. Implemented for the one key type that has it.
pub trait Exposes: Closed {
    /// The 32-byte seed.
    fn seed(&self, _: Token) -> &[u8; 32];
}

/// The pass for hooks that are in public traits but not for the public.
#[derive(Debug, Clone, Copy)]
pub struct Token(());

impl Token {
    pub(crate) const fn new() -> Self {
        Self(())
    }
}
