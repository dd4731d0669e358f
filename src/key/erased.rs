//! The run-time sum of unlocked keys.

use std::fmt;
use std::sync::Arc;

use super::device::{OpenedDevice, OpenedMaterial};
use super::{DeviceHeld, External, Hardware, Key, Public, Software, TpmSealed, Unlocked};
use crate::algorithm::{Algorithm, AlgorithmId, Ed25519, P256, Signature, VerifyingKey};
use crate::did::{Did, DidMethod};
use crate::evidence::{Evidence, Fact, ProvenanceKind, Word};
use crate::fault::{OpenError, SignError};
use crate::kind::{ErrorKind, explain};
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
    /// As `DeviceHeld`, for P-256.
    DeviceHeldP256(Key<DeviceHeld, Unlocked, P256>),
    /// As `Hardware`, for P-256.
    HardwareP256(Key<Hardware, Unlocked, P256>),
    /// As `External`, for P-256.
    ExternalP256(Key<External, Unlocked, P256>),
}

macro_rules! each {
    ($self:expr, $key:ident => $do:expr) => {
        match $self {
            DidKey::Software($key) => $do,
            DidKey::TpmSealed($key) => $do,
            DidKey::DeviceHeld($key) => $do,
            DidKey::Hardware($key) => $do,
            DidKey::External($key) => $do,
            DidKey::DeviceHeldP256($key) => $do,
            DidKey::HardwareP256($key) => $do,
            DidKey::ExternalP256($key) => $do,
        }
    };
}

impl DidKey {
    pub(super) fn of_device(
        provenance: ProvenanceKind,
        public: Arc<Public>,
        material: OpenedMaterial,
    ) -> Result<Self, OpenError> {
        use {AlgorithmId as A, ProvenanceKind as P};
        match (provenance, public.verifying_key().algorithm()) {
            (P::Hardware, A::Ed25519) => Ok(Self::Hardware(Key::new(public, material))),
            (P::Hardware, A::P256) => Ok(Self::HardwareP256(Key::new(public, material))),
            (P::DeviceHeld, A::Ed25519) => Ok(Self::DeviceHeld(Key::new(public, material))),
            (P::DeviceHeld, A::P256) => Ok(Self::DeviceHeldP256(Key::new(public, material))),
            (found, _) => Err(OpenError::WrongProvenance { demanded: P::DeviceHeld, found }),
        }
    }

    /// A key that a backend has just made, checked like any other.
    #[cfg_attr(
        not(any(feature = "pkcs11", feature = "tpm")),
        allow(dead_code, reason = "called by those backends")
    )]
    pub(crate) fn from_new_device_key(
        opened: OpenedDevice,
        method: DidMethod,
    ) -> Result<Self, OpenError> {
        let provenance = opened.evidence.provenance();
        let did = Did::fitting(method, &opened.shown);
        let (public, material) = opened.into_material(&did)?;
        Self::of_device(provenance, public, material)
    }

    /// A key that was in a file is not born in its device, whatever the device says of it.
    #[cfg_attr(not(feature = "keystore"), allow(dead_code, reason = "called by the keystore"))]
    pub(crate) fn known_to_be_imported(self) -> Self {
        match self {
            Self::Hardware(Key { public, material }) => {
                Self::DeviceHeld(Key::new(as_imported(&public), material))
            }
            Self::HardwareP256(Key { public, material }) => {
                Self::DeviceHeldP256(Key::new(as_imported(&public), material))
            }
            key => key,
        }
    }

    /// The key as what it is by what was said of it before, whatever its device says now.
    #[cfg_attr(not(feature = "keystore"), allow(dead_code, reason = "called by the keystore"))]
    pub(crate) fn remembering(self, earlier: impl Fn(&str) -> Option<(Fact, Word)>) -> Self {
        match self {
            Self::Hardware(Key { public, material }) => match remembered(public, earlier) {
                (public, true) => Self::Hardware(Key { public, material }),
                (public, false) => Self::DeviceHeld(Key::new(public, material)),
            },
            Self::HardwareP256(Key { public, material }) => match remembered(public, earlier) {
                (public, true) => Self::HardwareP256(Key { public, material }),
                (public, false) => Self::DeviceHeldP256(Key::new(public, material)),
            },
            Self::DeviceHeld(Key { public, material }) => {
                Self::DeviceHeld(Key::new(remembered(public, earlier).0, material))
            }
            Self::DeviceHeldP256(Key { public, material }) => {
                Self::DeviceHeldP256(Key::new(remembered(public, earlier).0, material))
            }
            key => key,
        }
    }

    /// The same key, named by a DID of another method.
    pub fn with_did_method(self, method: DidMethod) -> Self {
        each!(self, key => key.with_did_method(method).into())
    }
}

/// With what was said before, and whether it is `hardware` by that.
fn remembered(
    public: Arc<Public>,
    earlier: impl Fn(&str) -> Option<(Fact, Word)>,
) -> (Arc<Public>, bool) {
    let Some(evidence) = public.evidence.clone() else { return (public, false) };
    let (evidence, claimed) = evidence.remembering(earlier);
    if !claimed.is_empty() {
        log::warn!(
            "the device says of the key of {} what it did not say of it before ({}): its word is \
             not taken; find out what has changed",
            public.did,
            claimed.join(", ")
        );
    }
    let is_hardware = evidence.provenance() == ProvenanceKind::Hardware;
    (Arc::new(Public::new(public.did.clone(), Some(evidence))), is_hardware)
}

fn as_imported(public: &Public) -> Arc<Public> {
    log::warn!(
        "the device says that it has made the key of {}, which was written into it: its word is \
         not taken",
        public.did
    );
    let evidence = public.evidence.clone().map(Evidence::of_imported);
    Arc::new(Public::new(public.did.clone(), evidence))
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
    fn __sign_statement(&self, statement: &[u8], token: Token) -> Result<Signature, SignError> {
        each!(self, key => key.__sign_statement(statement, token))
    }
    fn __verifies(&self, token: Token) -> bool {
        each!(self, key => key.__verifies(token))
    }
    fn __sign_sha256(
        &self,
        digest: &[u8; 32],
        token: Token,
    ) -> Option<Result<Signature, SignError>> {
        each!(self, key => key.__sign_sha256(digest, token))
    }
    fn __takes_hashes(&self, token: Token) -> bool {
        each!(self, key => key.__takes_hashes(token))
    }
    fn __evidence(&self, token: Token) -> Option<&Evidence> {
        each!(self, key => key.__evidence(token))
    }
}

macro_rules! static_types {
    ($($variant:ident: $provenance:ident<$algorithm:ident>),+) => {
        $(
            impl From<Key<$provenance, Unlocked, $algorithm>> for DidKey {
                fn from(key: Key<$provenance, Unlocked, $algorithm>) -> Self {
                    Self::$variant(key)
                }
            }

            impl TryFrom<DidKey> for Key<$provenance, Unlocked, $algorithm> {
                type Error = WrongProvenance;
                fn try_from(key: DidKey) -> Result<Self, WrongProvenance> {
                    match key {
                        DidKey::$variant(key) => Ok(key),
                        key => Err(WrongProvenance {
                            demanded: ProvenanceKind::$provenance,
                            algorithm: <$algorithm as Algorithm>::ID,
                            key,
                        }),
                    }
                }
            }
        )+

        impl WrongProvenance {
            /// The provenance that the key has.
            #[must_use]
            pub const fn found(&self) -> ProvenanceKind {
                match &self.key {
                    $(DidKey::$variant(_) => ProvenanceKind::$provenance,)+
                }
            }
        }
    };
}

static_types!(
    Software: Software<Ed25519>,
    TpmSealed: TpmSealed<Ed25519>,
    DeviceHeld: DeviceHeld<Ed25519>,
    Hardware: Hardware<Ed25519>,
    External: External<Ed25519>,
    DeviceHeldP256: DeviceHeld<P256>,
    HardwareP256: Hardware<P256>,
    ExternalP256: External<P256>
);

/// The key is of another provenance, or another algorithm, than the static
/// type demanded.
#[derive(Debug)]
#[must_use = "it holds the key that was given"]
pub struct WrongProvenance {
    demanded: ProvenanceKind,
    algorithm: AlgorithmId,
    key: DidKey,
}

impl WrongProvenance {
    /// The provenance that was demanded.
    #[must_use]
    pub const fn demanded(&self) -> ProvenanceKind {
        self.demanded
    }

    /// The algorithm did not matter: it is that of the key.
    pub(super) fn of_either_algorithm(demanded: ProvenanceKind, key: DidKey) -> Self {
        let algorithm = key.verifying_key().algorithm();
        Self { demanded, algorithm, key }
    }

    pub(crate) const fn demanded_as(&self) -> (ProvenanceKind, AlgorithmId) {
        (self.demanded, self.algorithm)
    }

    /// The key, as it was.
    pub fn into_key(self) -> DidKey {
        self.key
    }
}

explain!(WrongProvenance);

impl WrongProvenance {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Requirement
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(
            "take the key back (`into_key`), and demand the provenance that it has, or use another \
             key"
                .into(),
        )
    }
}

impl fmt::Display for WrongProvenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.key.verifying_key().algorithm();
        if found == self.algorithm {
            return write!(f, "a {} key was demanded, this one is {}", self.demanded, self.found());
        }
        let Self { demanded, algorithm, .. } = self;
        write!(f, "a {demanded} {algorithm} key was demanded, this one is {} {found}", self.found())
    }
}

impl std::error::Error for WrongProvenance {}
