//! Devices that take a key which was in a file.

use super::{Credentials, Locator, Plan};
use crate::error::Error;
use crate::key::{DeviceHeld, DidKey, Key, Software, TpmSealed, Unlocked};
use crate::private;

/// A device that takes an Ed25519 key which was made in memory: the DID stays, and so do
/// the copies that there may be.
///
/// What comes of it is never a [`Hardware`](crate::Hardware) key, whatever the device says
/// of it: see [`ImportedKey`]. The other way there is none: no key leaves a device. Nor is
/// there one for P-256: a software key is an Ed25519 key.
///
/// # Sealed
///
/// Implemented by `Pkcs11Backend` and `TpmBackend`; see
/// [`Backend::importer`](super::Backend::importer).
pub trait SeedImport: private::OurBackend {
    /// **Blocks** on the device. Whether it could take a key, as far as that shows without
    /// a credential: so that nobody is asked for one in vain. `label` is for people, on
    /// devices that have labels.
    ///
    /// # Errors
    ///
    /// As [`Self::import_as`].
    fn check_import(&self, label: Option<&str>) -> Result<(), Error>;

    /// **Blocks** on the device. Writes a key into the device, and proves that it signs
    /// there.
    ///
    /// # Errors
    ///
    /// As [`Self::import_as`].
    fn import(
        &self,
        key: &Key<Software, Unlocked>,
        label: Option<&str>,
        credentials: &Credentials,
    ) -> Result<Imported, Error> {
        self.import_as(&Plan::default(), key, label, credentials)
    }

    /// **Blocks** on the device. The same, as it was planned.
    ///
    /// The device is asked to show the key to nobody and to use it for signatures alone;
    /// that it says so is checked, and so is the public key that it shows, and a challenge
    /// that it signs. The key that is given stays as it is, until it is dropped.
    ///
    /// # Errors
    ///
    /// If the credential is refused (it is sent once), or the key could not be written as
    /// it should be: nothing is left in the device then, or
    /// [`Pkcs11Error::LeftBehind`](crate::error::Pkcs11Error::LeftBehind) names it.
    /// [`Pkcs11Error::ClaimsBirth`](crate::error::Pkcs11Error::ClaimsBirth) for a token
    /// that calls the key its own.
    fn import_as(
        &self,
        plan: &Plan,
        key: &Key<Software, Unlocked>,
        label: Option<&str>,
        credentials: &Credentials,
    ) -> Result<Imported, Error>;
}

/// A key that was written into a device, open, and where it is found again.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "dropping a key closes it"]
pub struct Imported {
    /// The key.
    pub key: ImportedKey,
    /// Where it is.
    pub locator: Locator,
}

/// What a key is that was imported. For ever: it was in a file, of which there may be
/// copies.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "dropping a key closes it"]
pub enum ImportedKey {
    /// On a token.
    DeviceHeld(Key<DeviceHeld, Unlocked>),
    /// Sealed to a TPM, in memory now.
    TpmSealed(Key<TpmSealed, Unlocked>),
}

impl From<ImportedKey> for DidKey {
    fn from(key: ImportedKey) -> Self {
        match key {
            ImportedKey::DeviceHeld(key) => key.into(),
            ImportedKey::TpmSealed(key) => key.into(),
        }
    }
}
