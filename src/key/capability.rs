//! What a key's type promises. Empty markers: nothing to call, nothing to
//! implement outside.

use super::hooks::{Exposes, Makes};
use super::{DeviceHeld, Hardware, Key, KeyPair, Software, Unlocked};
use crate::algorithm::P256;
use crate::private::{Closed, Token};

/// The secret bytes can be seen.
///
/// # Sealed
///
/// Only an unlocked software key (and the [`KeyPair`] made of one).
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not expose secret bytes",
    label = "only `Key<Software, Unlocked>` exposes secret bytes",
    note = "a key that is in a device, sealed to a device, or behind an external signer has no \
            secret bytes to return: call `sign` instead",
    note = "a `Locked` software key must be unlocked first: call `key.unlock(&passphrase)`"
)]
pub trait ExposeSecret: Exposes {}

/// The private key stays behind the interface of its device: this crate never has it, and
/// has no call that would ask the device for it.
///
/// It says nothing of what the device is made of. A soft token (SoftHSM2, NSS) is a library
/// in this very process, and has the key in this process' memory while it signs
/// ([`HardwareBacked`](super::HardwareBacked) leaves those out). Nor does it say anything of
/// copies that were made before the key came there.
///
/// # Sealed
///
/// Unlocked `DeviceHeld` and `Hardware` keys.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not confined to a device",
    label = "the private key can be in this process's memory, or its location is unknown",
    note = "unlocked `DeviceHeld` and `Hardware` keys are confined. A `TpmSealed` key signs in \
            memory, because no TPM supports Ed25519: use a P-256 key of the TPM, which is \
            `Hardware`. Nothing is known about an `External` key"
)]
pub trait Confined: Closed {}

/// The private key is shown to be born in its device and never out of it.
///
/// By the device's word, and of a soft token's key as well, whose files can be copied:
/// demand a [`HardwareBacked`](super::HardwareBacked) where that matters.
///
/// # Sealed
///
/// Unlocked `Hardware` keys.
#[diagnostic::on_unimplemented(
    message = "no evidence shows that `{Self}` never left its device",
    label = "only an unlocked `Hardware` key has this evidence",
    note = "a `DeviceHeld` key may have been imported, so copies may exist, and a `TpmSealed` key \
            was created in memory. Create a new key in the device (in a TPM: a P-256 key), and \
            rotate to it",
    note = "a `Sealed` key has no evidence yet: call `unseal`, which reads it"
)]
pub trait NeverExposed: Confined {}

/// The key can be made in this process' memory, by [`Key::generate`] and
/// [`Key::from_seed`].
///
/// # Sealed
///
/// Only an unlocked software key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be created in memory",
    label = "only `Key<Software, Unlocked>` can: by `generate` or `from_seed`",
    note = "a device creates `Hardware` keys, and seals `TpmSealed` ones: call `Backend::create` \
            for a key, or `Home::create` for a whole identity (features `pkcs11` and `tpm`)",
    note = "to use a signer of your own, call `Key::<External, Unlocked>::from_external`"
)]
pub trait MadeInMemory: Makes {}

impl MadeInMemory for Key<Software, Unlocked> {}

impl Exposes for Key<Software, Unlocked> {
    fn seed(&self, _: Token) -> &[u8; 32] {
        self.material.seed()
    }
}
impl ExposeSecret for Key<Software, Unlocked> {}

impl Closed for KeyPair {}
impl Exposes for KeyPair {
    fn seed(&self, _: Token) -> &[u8; 32] {
        self.expose_seed()
    }
}
impl ExposeSecret for KeyPair {}

impl Confined for Key<DeviceHeld, Unlocked> {}
impl Confined for Key<DeviceHeld, Unlocked, P256> {}
impl Confined for Key<Hardware, Unlocked> {}
impl Confined for Key<Hardware, Unlocked, P256> {}
impl NeverExposed for Key<Hardware, Unlocked> {}
impl NeverExposed for Key<Hardware, Unlocked, P256> {}
