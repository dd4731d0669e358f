//! The run-time sum of unlocked keys.

use std::fmt;
use std::sync::Arc;

use super::device::{OpenedDevice, OpenedMaterial};
use super::{DeviceHeld, External, Hardware, Key, Public, Software, TpmSealed, Unlocked};
use crate::algorithm::{Signature, VerifyingKey};
use crate::did::{Did, DidMethod};
use crate::error::{OpenError, SignError};
use crate::evidence::{Evidence, ProvenanceKind};
use crate::private::Token;
use crate::signer::DidSigner;

/// An unlocked key whose provenance is known at run time only: what code gets
/// that learns its backend from a configuration file.
///
/// `TryFrom` gives the static type back, or a [`WrongProvenance`] that holds
/// the key.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "dropping a key closes it"]
pub enum DidKey {
    /// In process memory.
    Software(Key<Software, Unlocked>),
    /// Sealed to a TPM at rest, in memory now.
    TpmSealed(Key<TpmSealed, Unlocked>),
    /// In a device, not shown to be born there.
    DeviceHeld(Key<DeviceHeld, Unlocked>),
    /// Born in a device and never out of it.
    Hardware(Key<Hardware, Unlocked>),
    /// Behind a foreign signer.
    External(Key<External, Unlocked>),
}

macro_rules! each {
    ($self:expr, $key:ident => $do:expr) => {
        match $self {
            DidKey::Software($key) => $do,
            DidKey::TpmSealed($key) => $do,
            DidKey::DeviceHeld($key) => $do,
            DidKey::Hardware($key) => $do,
            DidKey::External($key) => $do,
        }
    };
}

impl DidKey {
    pub(super) fn of_device(
        provenance: ProvenanceKind,
        public: Arc<Public>,
        material: OpenedMaterial,
    ) -> Result<Self, OpenError> {
        match provenance {
            ProvenanceKind::Hardware => Ok(Self::Hardware(Key::new(public, material))),
            ProvenanceKind::DeviceHeld => Ok(Self::DeviceHeld(Key::new(public, material))),
            found => {
                Err(OpenError::WrongProvenance { demanded: ProvenanceKind::DeviceHeld, found })
            }
        }
    }

    /// A key that a backend has just made, checked like any other.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "called by that backend"))]
    pub(crate) fn from_new_device_key(
        opened: OpenedDevice,
        method: DidMethod,
    ) -> Result<Self, OpenError> {
        let provenance = opened.evidence.provenance();
        let did = Did::from_key(method, &opened.shown);
        let (public, material) = opened.into_material(&did)?;
        Self::of_device(provenance, public, material)
    }

    /// The same key, named by a DID of another method.
    pub fn with_did_method(self, method: DidMethod) -> Self {
        match self {
            Self::Software(key) => Self::Software(key.with_did_method(method)),
            Self::TpmSealed(key) => Self::TpmSealed(key.with_did_method(method)),
            Self::DeviceHeld(key) => Self::DeviceHeld(key.with_did_method(method)),
            Self::Hardware(key) => Self::Hardware(key.with_did_method(method)),
            Self::External(key) => Self::External(key.with_did_method(method)),
        }
    }
}

impl DidSigner for DidKey {
    fn did(&self) -> &Did {
        each!(self, key => key.did())
    }
    fn verifying_key(&self) -> &VerifyingKey {
        each!(self, key => key.verifying_key())
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        each!(self, key => key.sign(message))
    }
    fn __evidence(&self, token: Token) -> Option<&Evidence> {
        each!(self, key => key.__evidence(token))
    }
}

macro_rules! static_types {
    ($($provenance:ident),+) => {$(
        impl From<Key<$provenance, Unlocked>> for DidKey {
            fn from(key: Key<$provenance, Unlocked>) -> Self {
                Self::$provenance(key)
            }
        }

        impl TryFrom<DidKey> for Key<$provenance, Unlocked> {
            type Error = WrongProvenance;
            fn try_from(key: DidKey) -> Result<Self, WrongProvenance> {
                match key {
                    DidKey::$provenance(key) => Ok(key),
                    key => Err(WrongProvenance { demanded: ProvenanceKind::$provenance, key }),
                }
            }
        }
    )+};
}

static_types!(Software, TpmSealed, DeviceHeld, Hardware, External);

/// The key is of another provenance than the static type demanded.
#[derive(Debug)]
#[must_use = "it holds the key that was given"]
pub struct WrongProvenance {
    demanded: ProvenanceKind,
    key: DidKey,
}

impl WrongProvenance {
    /// The provenance that was demanded.
    #[must_use]
    pub const fn demanded(&self) -> ProvenanceKind {
        self.demanded
    }

    /// The provenance that the key has.
    #[must_use]
    pub const fn found(&self) -> ProvenanceKind {
        match &self.key {
            DidKey::Software(_) => ProvenanceKind::Software,
            DidKey::TpmSealed(_) => ProvenanceKind::TpmSealed,
            DidKey::DeviceHeld(_) => ProvenanceKind::DeviceHeld,
            DidKey::Hardware(_) => ProvenanceKind::Hardware,
            DidKey::External(_) => ProvenanceKind::External,
        }
    }

    /// The key, as it was.
    pub fn into_key(self) -> DidKey {
        self.key
    }
}

impl fmt::Display for WrongProvenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} key was demanded, this one is {}", self.demanded, self.found())
    }
}

impl std::error::Error for WrongProvenance {}
