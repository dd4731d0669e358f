//! Keys at rest: what code generic over locked and sealed keys needs, and the
//! sealed key whose provenance has not been read yet.

use std::fmt;
use std::sync::Arc;

use super::device::{self, DeviceKey, SealedMaterial};
use super::{
    DeviceHeld, DidKey, Hardware, Key, Locked, Public, Refused, Sealed, Software, Unlocked,
};
use crate::did::Did;
use crate::private::Closed;
use crate::secret::{Passphrase, Pin};

/// A key that a credential opens.
///
/// # Sealed
///
/// Locked software keys, sealed device keys and [`SealedKey`].
pub trait AtRest: Closed {
    /// What opens it.
    type Credential;
    /// What it is then.
    type Opened;

    /// Opens the key.
    ///
    /// # Errors
    ///
    /// Gives the key back with the reason.
    fn open(self, credential: &Self::Credential) -> Result<Self::Opened, Refused<Self>>;
}

impl AtRest for Key<Software, Locked> {
    type Credential = Passphrase;
    type Opened = Key<Software, Unlocked>;
    fn open(self, passphrase: &Passphrase) -> Result<Self::Opened, Refused<Self>> {
        self.unlock(passphrase)
    }
}

impl AtRest for Key<DeviceHeld, Sealed> {
    type Credential = Pin;
    type Opened = Key<DeviceHeld, Unlocked>;
    fn open(self, pin: &Pin) -> Result<Self::Opened, Refused<Self>> {
        self.unseal(pin)
    }
}

impl AtRest for Key<Hardware, Sealed> {
    type Credential = Pin;
    type Opened = Key<Hardware, Unlocked>;
    fn open(self, pin: &Pin) -> Result<Self::Opened, Refused<Self>> {
        self.unseal(pin)
    }
}

/// A key found in a device, whose evidence has not been read yet.
///
/// Demand a provenance of it to get a typed key whose `unseal` enforces it, or
/// take what comes with [`SealedKey::unseal`].
#[must_use = "it is the way to the key"]
pub struct SealedKey {
    public: Arc<Public>,
    material: SealedMaterial,
}

impl SealedKey {
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "made by that backend"))]
    pub(crate) fn new(did: Did, device: Arc<dyn DeviceKey>) -> Self {
        let public = Arc::new(Public::new(did, None));
        Self { public, material: SealedMaterial(Box::new(device)) }
    }

    /// The DID that is expected of the key.
    #[must_use]
    pub fn did(&self) -> &Did {
        &self.public.did
    }

    /// As a key that must turn out to be `Hardware`.
    pub fn demand_hardware(self) -> Key<Hardware, Sealed> {
        Key::new(self.public, self.material)
    }

    /// As a key that must turn out to be `DeviceHeld`.
    pub fn demand_device_held(self) -> Key<DeviceHeld, Sealed> {
        Key::new(self.public, self.material)
    }

    /// Opens the key; its evidence decides the provenance.
    ///
    /// # Errors
    ///
    /// Gives the sealed key back; see [`Key::<Hardware, Sealed>::unseal`].
    pub fn unseal(self, pin: &Pin) -> Result<DidKey, Refused<Self>> {
        match device::open(&self.public, &self.material, pin) {
            Ok((found, public, material)) => match DidKey::of_device(found, public, material) {
                Ok(key) => Ok(key),
                Err(reason) => Err(Refused::new(self, reason)),
            },
            Err(reason) => Err(Refused::new(self, reason)),
        }
    }
}

impl Closed for SealedKey {}

impl AtRest for SealedKey {
    type Credential = Pin;
    type Opened = DidKey;
    fn open(self, pin: &Pin) -> Result<DidKey, Refused<Self>> {
        self.unseal(pin)
    }
}

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedKey").field("did", self.did()).finish_non_exhaustive()
    }
}
