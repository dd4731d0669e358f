//! What outsiders cannot name, and so can neither implement, override nor call.
#![allow(unnameable_types, reason = "that is what this module is for")]

/// Closes a trait: only this crate can implement it.
///
/// `Sized` matters: without it an outsider could write
/// `impl NeverExposed for dyn LocalTrait {}`, because a blanket or missing
/// bound would be satisfied by a type of theirs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot implement a sealed trait of `icn_identity`",
    label = "only types of `icn_identity` implement it",
    note = "the evidence that this crate reads from a device decides what a key is. To use a \
            signer of your own, call `Key::<External, Unlocked>::from_external` or \
            `from_external_p256`"
)]
pub trait Closed: Sized {}

/// Closes what is said of errors.
pub trait Error {}

/// Closes what is said of backends: [`Closed`] could not be a trait object.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend of `icn_identity`, and no other can be written",
    label = "only `AgeKeyStore`, `Pkcs11Backend` and `TpmBackend` are backends",
    note = "the evidence that this crate reads from a device decides what a key is. To use a \
            signer of your own, call `Key::<External, Unlocked>::from_external` or \
            `from_external_p256`"
)]
pub trait OurBackend {}

/// The pass for hooks that are in public traits but not for the public.
#[derive(Debug, Clone, Copy)]
pub struct Token(());

impl Token {
    pub(crate) const fn new() -> Self {
        Self(())
    }
}
