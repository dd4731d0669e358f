//! Keys sealed to a TPM 2.0, and keys that are born in one.
//!
//! No TPM signs with Ed25519. So an Ed25519 key "in a TPM" is a seed that the
//! TPM keeps and gives out under a policy: `Key<TpmSealed, _>`, in locked
//! memory while unlocked. A P-256 key signs in the chip and never leaves it:
//! `Key<Hardware, _, P256>`.
//!
//! ```text
//! storage root (persistent, or made from the owner's seed; its Name is pinned)
//!   +- sealed object: the seed         }  policy: PCRs, a PIN, or both
//!   |  or P-256 key                    }
//!   +- sealed object: the storage key     the same, apart from the seed
//! ```
//!
//! Both lie in `identity.json`; the TPM keeps nothing. What the seed is sealed
//! against, and what it is not, is in `docs/backends/tpm.md`.
//!
//! The TSS library prints to standard error unless `TSS2_LOG=all+none` is in
//! the environment; `icnctl` sets that.

mod access;
mod approval;
mod approver;
mod check;
mod chip;
pub mod doctor;
mod failure;
mod key;
mod object;
mod parent;
mod pcr;
mod pin;
mod policy;
mod properties;
mod reseal;
mod satisfy;
mod seed;
mod session;
mod store;
mod tcti;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use self::access::Access;
pub use self::approval::{Approval, ApprovalRequest};
pub use self::approver::ApproverKey;
pub use self::check::{Outlook, TpmCheck};
use self::chip::{Chip, Reconnect};
use self::key::TpmKey;
use self::object::{New, Stored};
use self::pin::Purpose;
use self::seed::TpmSeed;
use super::{
    Authorized, Backend, BackendKind, Created, Credentials, Description, KeyAtRest, Locator,
    NewKey, Owner, PcrValues, StorageVault, TpmObject, TpmPolicy, WrappedKey,
};
use crate::algorithm::AlgorithmId;
use crate::config::{PcrPolicy, TpmConfig};
use crate::did::Did;
use crate::error::{DeviceError, Error, OpenError, TpmError};
use crate::key::device::DeviceKey as _;
use crate::key::{DidKey, SealedKey};
use crate::secret::{Pin, SigningSeed};

/// A TPM, as configured.
pub struct TpmBackend {
    access: Arc<Access>,
}

impl TpmBackend {
    /// Connects to the TPM. `home` is where approvals of PCR values are. No PIN
    /// is used.
    ///
    /// # Errors
    ///
    /// [`TpmError`] if there is none, or it may not be used, or the
    /// configuration says what cannot be ([`TpmConfig::check`]).
    pub fn open(home: &Path, config: &TpmConfig) -> Result<Self, DeviceError> {
        if let Some(reason) = config.problem() {
            return Err(TpmError::NoSuchPolicy { reason }.into());
        }
        let chip = Chip::open(&config.device_path)?;
        let access = Access::new(chip, home.to_owned(), config.clone())?;
        Ok(Self { access: Arc::new(access) })
    }

    fn config(&self) -> &TpmConfig {
        &self.access.config
    }

    /// The policy of a new object: as configured, for the PCR values that are
    /// there now, and those to come where there are any.
    fn new_policy(
        &self,
        owner: &Named<'_>,
        purpose: Purpose,
        pin: &Pin,
        coming: Option<&PcrValues>,
    ) -> Result<TpmPolicy, Error> {
        let config = self.config();
        if !config.pin && !pin.is_none() {
            let reason = "a PIN was given, and `pin = false` under [identity.tpm]";
            return Err(tpm(TpmError::NoSuchPolicy { reason }));
        }
        let mut pcr = Vec::new();
        if config.platform_binding {
            pcr.push(self.present_pcrs()?);
            pcr.extend(coming.filter(|coming| Some(*coming) != pcr.first()).cloned());
        } else if coming.is_some() {
            let reason = "PCR values are given, and platform_binding is false";
            return Err(tpm(TpmError::NoSuchPolicy { reason }));
        }
        if !pcr.iter().all(PcrValues::is_valid) {
            let reason = "these are no PCR values of their bank";
            return Err(tpm(TpmError::NoSuchPolicy { reason }));
        }
        let authorized = match config.policy {
            PcrPolicy::Literal => None,
            PcrPolicy::Authorized => {
                let path = config.approver.as_ref().ok_or(TpmError::NoSuchPolicy {
                    reason: "policy = \"authorized\" wants the approver's public key: `approver`",
                });
                let approver = *approver::read_public(path.map_err(tpm)?)?.as_bytes();
                let policy_ref = approval::policy_ref(owner.as_bytes(), purpose);
                Some(Authorized { approver, policy_ref, owner: owner.random() })
            }
        };
        let pin = match config.pin {
            false => None,
            true if pin.is_none() => return Err(tpm(TpmError::PinMissing)),
            true => Some(self.access.stretching(pin).map_err(tpm)?),
        };
        Ok(TpmPolicy { pcr, authorized, pin })
    }

    /// The present values of the configured PCRs.
    ///
    /// # Errors
    ///
    /// [`TpmError::NoBank`] if the TPM has no such bank.
    pub fn present_pcrs(&self) -> Result<PcrValues, Error> {
        let config = self.config();
        let read = self.access.chip.work(Reconnect::Once, |work| {
            pcr::read(work.context, config.pcr_bank, config.pcr_indices.iter())
        });
        read.map_err(tpm)
    }

    /// Makes an object under the storage key that is there, which must be the
    /// pinned one.
    fn make(
        &self,
        policy: &TpmPolicy,
        purpose: Purpose,
        pin: &Pin,
        secret: Option<(&Did, &[u8])>,
    ) -> Result<TpmObject, Error> {
        let stretched = match &policy.pin {
            None => None,
            Some(how) => Some(self.access.stretch(pin, how).map_err(tpm)?),
        };
        let auth = stretched.as_ref().map(|stretched| stretched.auth_value());
        let encrypted = match (&stretched, secret) {
            (Some(stretched), Some((did, secret))) => {
                Some(stretched.encrypt(purpose, did.as_str(), secret).map_err(tpm)?)
            }
            (_, secret) => secret.map(|(_, secret)| zeroize::Zeroizing::new(secret.to_vec())),
        };
        let new = match &encrypted {
            Some(encrypted) => New::Sealed(encrypted),
            None => New::SigningKey,
        };
        let auth = auth.as_ref().map(|auth| auth.as_slice());
        let made = self.access.chip.work(Reconnect::Once, |work| {
            let parent = parent::present(work.context, self.config().key_handle)?;
            self.access.check_pinned(&parent)?;
            parent::under(work.context, &parent, |context, key| {
                object::create(context, &parent, key, policy, auth, &new)
            })
        });
        made.map_err(tpm)
    }

    fn create_sealed(&self, request: &NewKey, pin: &Pin) -> Result<Created, Error> {
        let seed = SigningSeed::generate()?;
        let did = Did::from_key(request.did_method, &seed.verifying_key().into());
        let policy = self.new_policy(&Named::Did(&did), Purpose::Key, pin, None)?;
        let object = self.make(&policy, Purpose::Key, pin, Some((&did, seed.as_bytes())))?;
        let handle = TpmSeed { access: Arc::clone(&self.access), object: object.clone(), did };
        let (did, evidence) = (handle.did.clone(), handle.evidence()?);
        let key = DidKey::from_new_sealed_seed(&did, Arc::new(handle), seed, evidence)?;
        Ok(Created { key, locator: Locator::Tpm(Box::new(object)) })
    }

    fn create_p256(&self, request: &NewKey, pin: &Pin) -> Result<Created, Error> {
        // The DID follows from the key, and the key from its policy: approvals
        // are for a random owner.
        let mut owner = [0; 32];
        crate::secret::fill_random(&mut owner)?;
        let policy = self.new_policy(&Named::Random(owner), Purpose::Key, pin, None)?;
        let object = self.make(&policy, Purpose::Key, pin, None)?;
        let shown = Stored::read(&object, Purpose::Key).and_then(|stored| stored.verifying_key());
        let did = Did::from_key(request.did_method, &shown.map_err(tpm)?.into());
        let key = TpmKey { access: Arc::clone(&self.access), object: object.clone(), did };
        let key = DidKey::from_new_device_key(key.open(pin)?, request.did_method)?;
        Ok(Created { key, locator: Locator::Tpm(Box::new(object)) })
    }
}

/// Whose objects approvals are for.
enum Named<'a> {
    Did(&'a Did),
    /// The DID is not known yet.
    Random([u8; 32]),
}

impl Named<'_> {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Did(did) => did.as_str().as_bytes(),
            Self::Random(owner) => owner,
        }
    }

    const fn random(&self) -> Option<Owner> {
        match self {
            Self::Did(_) => None,
            Self::Random(owner) => Some(Owner(*owner)),
        }
    }
}

fn tpm(error: TpmError) -> Error {
    DeviceError::Tpm(error).into()
}

impl Backend for TpmBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Tpm
    }

    fn describe(&self) -> Description {
        let has_pin = self.config().pin;
        Description {
            kind: BackendKind::Tpm,
            location: self.config().device_path.clone().into(),
            device: self.access.chip.identity().ok(),
            pin: self.access.lockout().ok().map(|lockout| lockout.pin_state(has_pin)),
        }
    }

    fn create(&self, request: &NewKey, credentials: &Credentials) -> Result<Created, Error> {
        let pin = &credentials.pin_for(self.kind())?;
        if self.config().platform_binding && !self.config().pin {
            log::warn!(
                "without a PIN, whoever has this machine and boots it unchanged has the key"
            );
        }
        match request.algorithm {
            AlgorithmId::Ed25519 => self.create_sealed(request, pin),
            AlgorithmId::P256 => {
                if self.config().platform_binding && self.config().policy == PcrPolicy::Literal {
                    log::warn!(
                        "a P-256 key cannot be sealed anew: when these PCRs change for good, it is \
                         lost; policy = \"authorized\" lets an approver sign other values"
                    );
                }
                self.create_p256(request, pin)
            }
        }
    }

    fn find(&self, locator: &Locator, did: &Did) -> Result<KeyAtRest, Error> {
        let Locator::Tpm(object) = locator else {
            return Err(DeviceError::ForeignLocator { backend: BackendKind::Tpm }.into());
        };
        let stored = Stored::read(object, Purpose::Key).map_err(tpm)?;
        self.access.check_pinned(&object.parent).map_err(tpm)?;
        if object.policy.pin.is_some() {
            // Now, so that opening the key need not ask again.
            self.access.lockout().map_err(tpm)?;
        }
        let (access, object, did) =
            (Arc::clone(&self.access), object.as_ref().clone(), did.clone());
        let key = match did.verifying_key().algorithm() {
            AlgorithmId::Ed25519 => {
                SealedKey::of_seed(did.clone(), Arc::new(TpmSeed { access, object, did }))
            }
            AlgorithmId::P256 => {
                let shown = stored.verifying_key().map_err(tpm)?.into();
                if *did.verifying_key() != shown {
                    let found = Did::from_key(did.method(), &shown);
                    return Err(OpenError::WrongKey { expected: did, found }.into());
                }
                SealedKey::new(did.clone(), Arc::new(TpmKey { access, object, did }))
            }
        };
        Ok(KeyAtRest::Device(key))
    }

    fn discard(&self, _: &Locator, _: &Credentials) -> Result<(), Error> {
        // The TPM keeps nothing of an object whose blobs are gone.
        Ok(())
    }

    fn vault(&self) -> Option<&dyn StorageVault> {
        Some(self)
    }
}

impl StorageVault for TpmBackend {
    fn wrap(
        &self,
        did: &Did,
        storage_key: &SecretString,
        credentials: &Credentials,
    ) -> Result<Option<WrappedKey>, DeviceError> {
        let pin = &credentials.pin_for(self.kind())?;
        let wrapped = self.seal_storage(did, storage_key, pin, None);
        self.access.forget_pin();
        match wrapped {
            Ok(object) => Ok(Some(WrappedKey::Tpm(Box::new(object)))),
            Err(Error::Device(error)) => Err(error),
            Err(_) => {
                Err(TpmError::NoSuchPolicy { reason: "the approver's key is unusable" }.into())
            }
        }
    }

    fn unwrap(
        &self,
        did: &Did,
        wrapped: &WrappedKey,
        credentials: &Credentials,
    ) -> Result<SecretString, DeviceError> {
        let WrappedKey::Tpm(object) = wrapped else {
            let token = self.config().device_path.clone();
            return Err(DeviceError::StorageKey { token, source: None });
        };
        let pin = &credentials.pin_for(self.kind())?;
        let bytes = self.access.unseal(object, Purpose::Storage, did.as_str(), pin);
        self.access.forget_pin();
        let bytes = bytes?;
        std::str::from_utf8(&bytes)
            .map(SecretString::from)
            .map_err(|_| TpmError::Damaged { what: Purpose::Storage.object(), source: None }.into())
    }

    fn discard_storage(&self, _: &Did, _: &Credentials) -> Result<(), DeviceError> {
        Ok(())
    }
}

impl TpmBackend {
    fn seal_storage(
        &self,
        did: &Did,
        storage_key: &SecretString,
        pin: &Pin,
        values: Option<&PcrValues>,
    ) -> Result<TpmObject, Error> {
        let policy = self.new_policy(&Named::Did(did), Purpose::Storage, pin, values)?;
        let secret = storage_key.expose_secret().as_bytes();
        self.make(&policy, Purpose::Storage, pin, Some((did, secret)))
    }
}

impl fmt::Debug for TpmBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TpmBackend").field("access", &self.access).finish_non_exhaustive()
    }
}
