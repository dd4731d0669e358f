//! Keys in a device: sealed until its PIN opens it, and the one way to a
//! provenance that is claimed of a device.

use std::fmt;
use std::sync::Arc;

use super::challenge::prove_possession;
use super::{DeviceHeld, Hardware, Key, Public, Refused, Sealed, Unlocked};
use crate::algorithm::{AlgorithmId, Ed25519, P256, Signature, VerifyingKey};
use crate::did::Did;
use crate::evidence::{Evidence, ProvenanceKind};
use crate::fault::{OpenError, SignError};
use crate::secret::Pin;

/// A key that a backend found in its device. Crate-private: outside code has
/// no way to bring evidence of its own making.
pub(crate) trait DeviceKey: fmt::Debug + Send + Sync {
    /// Opens the device for this key (once), finds the private key and reads
    /// its evidence.
    fn open(&self, pin: &Pin) -> Result<OpenedDevice, OpenError>;

    /// Whether the device showed the expected public key without a credential.
    fn is_shown(&self) -> bool {
        false
    }

    /// That nothing speaks against sending a credential, by what was seen when the key was
    /// found. It is asked again when one is sent.
    fn check_sendable(&self) -> Result<(), OpenError> {
        Ok(())
    }
}

/// A private key in an open session.
pub(crate) trait DeviceSigner: fmt::Debug + Send + Sync {
    /// Signs exactly the bytes given.
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError>;

    /// Signs a SHA-256 as ECDSA does. Of P-256 keys alone.
    fn sign_sha256(&self, digest: &[u8; 32]) -> Result<Signature, SignError>;

    /// Why the key did not prove that it is the one of its DID, as far as the device tells.
    fn explain(&self, failed: OpenError) -> OpenError {
        failed
    }
}

/// What opening a device key brought: nothing here is believed until
/// [`OpenedDevice::into_material`] has checked it.
#[derive(Debug)]
pub(crate) struct OpenedDevice {
    pub(crate) handle: Arc<dyn DeviceKey>,
    pub(crate) shown: VerifyingKey,
    pub(crate) evidence: Evidence,
    pub(crate) signer: Box<dyn DeviceSigner>,
    pub(crate) verify_after_sign: bool,
}

impl OpenedDevice {
    /// The device must show the expected key, and sign a fresh challenge that
    /// verifies under it.
    pub(super) fn into_material(
        self,
        did: &Did,
    ) -> Result<(Arc<Public>, OpenedMaterial), OpenError> {
        self.prove(did)?;
        Ok(self.into_proved(did))
    }

    fn prove(&self, did: &Did) -> Result<(), OpenError> {
        if self.shown != *did.verifying_key() {
            return Err(OpenError::WrongKey {
                expected: did.clone(),
                found: Did::fitting(did.method(), &self.shown),
            });
        }
        prove_possession(&self.shown, |challenge| self.signer.sign(challenge))
    }

    fn into_proved(self, did: &Did) -> (Arc<Public>, OpenedMaterial) {
        let public = Arc::new(Public::new(did.clone(), Some(self.evidence)));
        let opened = Opened {
            handle: self.handle,
            signer: self.signer,
            verify_after_sign: self.verify_after_sign,
        };
        (public, OpenedMaterial(Box::new(opened)))
    }
}

/// The way to a key in a device.
#[derive(Debug)]
#[allow(unnameable_types, reason = "materials are not for outsiders")]
pub struct SealedMaterial(pub(super) Box<Arc<dyn DeviceKey>>);

/// A key in a device, in an open session.
#[derive(Debug)]
#[allow(unnameable_types, reason = "materials are not for outsiders")]
pub struct OpenedMaterial(Box<Opened>);

#[derive(Debug)]
struct Opened {
    handle: Arc<dyn DeviceKey>,
    signer: Box<dyn DeviceSigner>,
    verify_after_sign: bool,
}

impl OpenedMaterial {
    /// Unless it is configured otherwise.
    pub(super) fn verifies(&self) -> bool {
        self.0.verify_after_sign
    }

    pub(super) fn sign(&self, public: &Public, message: &[u8]) -> Result<Signature, SignError> {
        let signature = self.0.signer.sign(message)?;
        if self.0.verify_after_sign {
            public.verifying_key().verify(message, &signature)?;
        }
        Ok(signature)
    }

    /// Of a P-256 key.
    pub(super) fn sign_sha256(
        &self,
        public: &Public,
        digest: &[u8; 32],
    ) -> Option<Result<Signature, SignError>> {
        let key = public.verifying_key();
        let sign = || {
            let signature = self.0.signer.sign_sha256(digest)?;
            if self.0.verify_after_sign {
                key.verify_sha256(digest, &signature)?;
            }
            Ok(signature)
        };
        (key.algorithm() == AlgorithmId::P256).then(sign)
    }

    pub(super) fn into_sealed(self) -> SealedMaterial {
        SealedMaterial(Box::new(self.0.handle))
    }
}

/// Opens and checks everything but the provenance.
pub(super) fn open(
    public: &Public,
    material: &SealedMaterial,
    pin: &Pin,
) -> Result<(ProvenanceKind, Arc<Public>, OpenedMaterial), OpenError> {
    let opened = material.0.open(pin)?;
    let provenance = opened.evidence.provenance();
    opened.prove(&public.did).map_err(|failed| opened.signer.explain(failed))?;
    let (public, material) = opened.into_proved(&public.did);
    Ok((provenance, public, material))
}

macro_rules! device_transitions {
    ($($provenance:ident<$algorithm:ident>),+) => {$(
        impl Key<$provenance, Sealed, $algorithm> {
            /// Opens the key with its PIN (or by the device's policy alone),
            /// reads its evidence, and has a fresh challenge signed.
            ///
            /// # Errors
            ///
            /// Gives the sealed key back. A wrong PIN was tried exactly once
            /// and is not tried again. [`OpenError::WrongProvenance`] if the
            /// evidence does not bear this type out.
            pub fn unseal(
                self,
                pin: &Pin,
            ) -> Result<Key<$provenance, Unlocked, $algorithm>, Refused<Self>> {
                match open(&self.public, &self.material, pin) {
                    Ok((ProvenanceKind::$provenance, public, material)) => {
                        Ok(Key::new(public, material))
                    }
                    Ok((found, ..)) => Err(Refused::new(
                        self,
                        OpenError::WrongProvenance {
                            demanded: ProvenanceKind::$provenance,
                            found,
                        },
                    )),
                    Err(reason) => Err(Refused::new(self, reason)),
                }
            }
        }

        impl Key<$provenance, Unlocked, $algorithm> {
            /// Closes the key. Its PIN is needed again, or its policy.
            pub fn seal(self) -> Key<$provenance, Sealed, $algorithm> {
                let did = self.did().clone();
                let public = Arc::new(Public::new(did, None));
                Key::new(public, self.material.into_sealed())
            }
        }
    )+};
}

device_transitions!(DeviceHeld<Ed25519>, DeviceHeld<P256>, Hardware<Ed25519>, Hardware<P256>);
