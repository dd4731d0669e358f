//! What a person gives to open an identity.

use std::io::{self, Write};
use std::sync::Arc;

use super::BackendKind;
use crate::error::{DeviceError, KeystoreError};
use crate::secret::{LockedText, Passphrase, Pin, TryNote};

/// What opens an identity: a passphrase, a PIN, or a PIN and a passphrase for
/// tokens that cannot keep a storage key.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    passphrase: Option<Passphrase>,
    pin: Option<Pin>,
}

impl Credentials {
    /// A passphrase.
    #[must_use]
    pub const fn passphrase(passphrase: Passphrase) -> Self {
        Self { passphrase: Some(passphrase), pin: None }
    }

    /// A PIN.
    #[must_use]
    pub const fn pin(pin: Pin) -> Self {
        Self { passphrase: None, pin: Some(pin) }
    }

    /// A passphrase as well.
    #[must_use]
    pub fn and_passphrase(mut self, passphrase: Passphrase) -> Self {
        self.passphrase = Some(passphrase);
        self
    }

    /// A PIN as well.
    #[must_use]
    pub fn and_pin(mut self, pin: Pin) -> Self {
        self.pin = Some(pin);
        self
    }

    /// The PIN, if there is one and it is not entered at the device.
    pub(crate) fn text_of_pin(&self) -> Option<&LockedText> {
        self.pin.as_ref()?.locked_text()
    }

    /// The same; what a device answers to the PIN is noted there.
    pub(crate) fn noted_by(mut self, note: Arc<dyn TryNote>, insists: bool) -> Self {
        self.pin = self.pin.map(|pin| pin.noted_by(note, insists));
        self
    }

    /// Writes both for another process of ours: a line each, empty where there is none.
    pub(crate) fn write_lines(&self, to: &mut impl Write) -> io::Result<()> {
        // Never in a buffer of the writer's: each goes out as it is in locked memory.
        let pin = self.pin.as_ref().and_then(Pin::text).unwrap_or_default();
        let passphrase = self.passphrase.as_ref().map(Passphrase::expose).unwrap_or_default();
        for text in [pin, "\n", passphrase, "\n"] {
            to.write_all(text.as_bytes())?;
        }
        to.flush()
    }

    /// The PIN, for a backend that asks for one.
    ///
    /// # Errors
    ///
    /// [`DeviceError::WrongCredential`] if there is none.
    pub fn want_pin(&self, backend: BackendKind) -> Result<&Pin, DeviceError> {
        self.pin.as_ref().ok_or(DeviceError::WrongCredential { backend, wanted: "PIN" })
    }

    /// What a device of this kind is opened with. Whether a key in a TPM has a PIN
    /// is known by the key.
    pub(crate) fn pin_for(&self, backend: BackendKind) -> Result<Pin, DeviceError> {
        match (backend, &self.pin) {
            (BackendKind::Tpm, None) => Ok(Pin::none()),
            _ => self.want_pin(backend).cloned(),
        }
    }

    /// The passphrase of an age file.
    pub(crate) fn want_passphrase(&self) -> Result<&Passphrase, DeviceError> {
        let (backend, wanted) = (BackendKind::Age, "passphrase");
        self.passphrase.as_ref().ok_or(DeviceError::WrongCredential { backend, wanted })
    }

    /// The passphrase beside the PIN of a device that cannot keep a storage key.
    pub(crate) fn want_passphrase_beside_pin(&self) -> Result<&Passphrase, KeystoreError> {
        self.passphrase.as_ref().ok_or(KeystoreError::PassphraseNeeded)
    }
}
