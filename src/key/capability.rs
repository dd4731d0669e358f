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
    message = "the secret bytes of `{Self}` cannot be had",
    label = "only `Key<Software, Unlocked>` has secret bytes to give",
    note = "a key that is sealed to, held by or born in a device, or kept by a foreign signer, has \
            no secret bytes for you: sign with it instead; a locked software key wants \
            `unlock(passphrase)` first"
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
    label = "this key is, or can be, in this process' memory, or nobody knows where it is",
    note = "unlocked `DeviceHeld` and `Hardware` keys are confined; a `TpmSealed` key signs in \
            memory, as no TPM signs with Ed25519 (a TPM's own P-256 key is `Hardware`), and about \
            an `External` one nothing is known"
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
    message = "nothing shows that `{Self}` never left its device",
    label = "only an unlocked `Hardware` key is shown to be born in its device and never out of it",
    note = "a `DeviceHeld` key may have been imported and may have copies, and a `TpmSealed` key \
            was made in memory: generate a new key in the device (in a TPM: a P-256 key), and \
            rotate to it",
    note = "a `Sealed` key is a demand: `unseal` reads the evidence"
)]
pub trait NeverExposed: Confined {}

/// The key can be made in this process' memory, by [`Key::generate`] and
/// [`Key::from_seed`].
///
/// # Sealed
///
/// Only an unlocked software key.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` is not made in memory",
    label = "only `Key<Software, Unlocked>` is: by `generate`, or from a seed",
    note = "`Hardware` keys are born in their device, and `TpmSealed` ones are sealed by it: a \
            backend makes them (`Backend::create`), or a whole identity with one \
            (`Home::create`); features `pkcs11` and `tpm`",
    note = "a key behind a signer of your own joins by `Key::<External, Unlocked>::from_external`"
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
