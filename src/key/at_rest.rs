//! Keys at rest: what code generic over locked and sealed keys needs, and the
//! sealed key whose provenance has not been read yet.

use std::fmt;
use std::sync::Arc;

use super::device::{self, DeviceKey, SealedMaterial};
use super::tpm_sealed::{self, SealedSeed, SealedSeedMaterial};
use super::{DeviceHeld, DidKey, Hardware, Key, Public, Refused, Sealed, TpmSealed, Unlocked};
use crate::algorithm::{Algorithm, AlgorithmId, Ed25519, P256};
use crate::did::Did;
use crate::evidence::ProvenanceKind;
use crate::fault::OpenError;
use crate::private::Closed;
use crate::secret::Pin;

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

    /// **Blocks** on device or scrypt. Opens the key.
    ///
    /// # Errors
    ///
    /// Gives the key back with the reason.
    fn open(self, credential: &Self::Credential) -> Result<Self::Opened, Refused<Self>>;
}

macro_rules! sealed_at_rest {
    ($($provenance:ident<$algorithm:ident> in $place:ident),+) => {$(
        impl AtRest for Key<$provenance, Sealed, $algorithm> {
            type Credential = Pin;
            type Opened = Key<$provenance, Unlocked, $algorithm>;
            fn open(self, pin: &Pin) -> Result<Self::Opened, Refused<Self>> {
                self.unseal(pin)
            }
        }

        /// A demand: `unseal` enforces it.
        impl TryFrom<SealedKey> for Key<$provenance, Sealed, $algorithm> {
            type Error = Refused<SealedKey>;
            fn try_from(key: SealedKey) -> Result<Self, Refused<SealedKey>> {
                let key = key.of_algorithm(<$algorithm as Algorithm>::ID)?;
                let SealedKey { public, place } = key;
                match place {
                    Place::$place(material) => Ok(Key::new(public, material)),
                    place => Err(SealedKey { public, place }
                        .refuse_as(ProvenanceKind::$provenance)),
                }
            }
        }
    )+};
}

sealed_at_rest!(
    TpmSealed<Ed25519> in Tpm,
    DeviceHeld<Ed25519> in Device,
    DeviceHeld<P256> in Device,
    Hardware<Ed25519> in Device,
    Hardware<P256> in Device
);

/// A key found in a device, whose evidence has not been read yet.
///
/// Demand a type of it ([`Self::demand_hardware`], or `TryFrom` for every
/// `Key<_, Sealed, _>`) to get a key whose `unseal` enforces it, or take what
/// comes with [`SealedKey::unseal`].
#[must_use = "it is the way to the key"]
pub struct SealedKey {
    public: Arc<Public>,
    place: Place,
}

/// Behind the device's interface, or sealed by it.
enum Place {
    Device(SealedMaterial),
    Tpm(SealedSeedMaterial),
}

#[cfg_attr(
    not(any(feature = "pkcs11", feature = "tpm")),
    allow(dead_code, reason = "made by those backends")
)]
impl SealedKey {
    pub(crate) fn new(did: Did, device: Arc<dyn DeviceKey>) -> Self {
        let public = Arc::new(Public::new(did, None));
        Self { public, place: Place::Device(SealedMaterial(Box::new(device))) }
    }

    #[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "made by that backend"))]
    pub(crate) fn of_seed(did: Did, seed: Arc<dyn SealedSeed>) -> Self {
        let public = Arc::new(Public::new(did, None));
        Self { public, place: Place::Tpm(SealedSeedMaterial(Box::new(seed))) }
    }
}

impl SealedKey {
    /// The DID that is expected of the key.
    #[must_use]
    pub fn did(&self) -> &Did {
        &self.public.did
    }

    /// Whether the device showed the expected public key when it was looked for, without
    /// a credential. False where nothing was seen: a token may show nothing before a
    /// login, whether the key is there or not; and a TPM keeps no object.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        match &self.place {
            Place::Device(SealedMaterial(device)) => device.is_shown(),
            Place::Tpm(_) => false,
        }
    }

    /// That its device has shown what it has to, so that a credential may be sent: by what
    /// was seen when the key was looked for. It is looked at again when one is sent.
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error::KeyNotShown`](crate::error::Pkcs11Error::KeyNotShown).
    pub fn check_shown(&self) -> Result<(), OpenError> {
        match &self.place {
            Place::Device(SealedMaterial(device)) => device.check_sendable(),
            Place::Tpm(_) => Ok(()),
        }
    }

    /// As an Ed25519 key that must turn out to be `Hardware`.
    ///
    /// # Errors
    ///
    /// Gives the key back if it is of another algorithm, or is sealed to a TPM.
    pub fn demand_hardware(self) -> Result<Key<Hardware, Sealed>, Refused<Self>> {
        self.try_into()
    }

    /// As an Ed25519 key that must turn out to be `DeviceHeld`.
    ///
    /// # Errors
    ///
    /// As [`Self::demand_hardware`].
    pub fn demand_device_held(self) -> Result<Key<DeviceHeld, Sealed>, Refused<Self>> {
        self.try_into()
    }

    /// **Blocks** on the device. Opens the key; its evidence decides the provenance.
    ///
    /// # Errors
    ///
    /// Gives the sealed key back; see [`Key::<Hardware, Sealed>::unseal`].
    pub fn unseal(self, pin: &Pin) -> Result<DidKey, Refused<Self>> {
        let opened = match &self.place {
            Place::Device(material) => device::open(&self.public, material, pin)
                .and_then(|(found, public, material)| DidKey::of_device(found, public, material)),
            Place::Tpm(material) => {
                tpm_sealed::open(&self.public.did, material, pin).map(DidKey::TpmSealed)
            }
        };
        opened.map_err(|reason| Refused::new(self, reason))
    }

    fn of_algorithm(self, demanded: AlgorithmId) -> Result<Self, Refused<Self>> {
        let found = self.did().verifying_key().algorithm();
        if found == demanded {
            return Ok(self);
        }
        Err(Refused::new(self, OpenError::WrongAlgorithm { demanded, found }))
    }

    fn refuse_as(self, demanded: ProvenanceKind) -> Refused<Self> {
        let reason = match &self.place {
            Place::Tpm(_) => {
                OpenError::WrongProvenance { demanded, found: ProvenanceKind::TpmSealed }
            }
            Place::Device(_) => OpenError::NotSealedToTpm,
        };
        Refused::new(self, reason)
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
