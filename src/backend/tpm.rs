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
#[cfg(feature = "attestation")]
mod attest;
mod check;
mod chip;
pub mod doctor;
mod failure;
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(crate) mod formats;
mod import;
mod key;
mod make;
mod object;
mod overwrite;
mod parent;
mod pcr;
mod pin;
mod policy;
mod properties;
mod reseal;
mod satisfy;
mod seed;
mod sending;
mod session;
mod store;
mod tcti;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use self::access::Access;
pub use self::approval::{Approval, ApprovalRequest};
pub use self::approver::ApproverKey;
#[cfg(feature = "attestation")]
pub use self::attest::{EkCertificateIndex, Quoted, TpmStatements};
pub use self::check::{Outlook, TpmCheck};
use self::chip::{Chip, Reconnect};
use self::key::TpmKey;
use self::make::States;
use self::object::Stored;
use self::pin::Purpose;
use self::seed::TpmSeed;
pub(crate) use self::store::push as push_approval;
use super::{
    Backend, BackendKind, Created, Credentials, Description, KeyAtRest, Locator, NewKey, Plan,
    SeedImport, StorageVault, WrappedKey,
};
use crate::algorithm::AlgorithmId;
use crate::config::{PcrPolicy, TpmConfig};
use crate::did::Did;
use crate::error::{DeviceError, Error, OpenError, TpmError};
use crate::key::SealedKey;
use crate::secret::LockedText;

/// A TPM, as configured.
pub struct TpmBackend {
    access: Arc<Access>,
}

impl TpmBackend {
    /// **Blocks** on the device. Connects to the TPM. `home` is where approvals of
    /// PCR values are. No PIN is used.
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

    /// That the TPM has the storage key that is configured, for new objects.
    /// What is wanted of a new object, but for its PIN: before anybody is asked for that.
    fn check_making(&self) -> Result<(), Error> {
        self.check_approver()?;
        self.check_present_parent()?;
        self.present_pcrs_if_bound().map(drop)
    }

    fn check_present_parent(&self) -> Result<(), Error> {
        let present = self
            .access
            .chip
            .work(Reconnect::Once, |work| parent::present(work.context, self.config().key_handle));
        present.and_then(|parent| self.access.check_pinned(&parent)).map_err(tpm)
    }

    fn warn_if_open_to_its_machine(&self) {
        if self.config().platform_binding && !self.config().pin {
            log::warn!(
                "without a PIN, whoever has this machine and boots it unchanged has the key"
            );
        }
    }
}

fn tpm(error: TpmError) -> Error {
    DeviceError::Tpm(error).into()
}

impl crate::private::OurBackend for TpmBackend {}

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
            shares_name: false,
            shares_serial: false,
            slot: None,
            shown: Vec::new(),
            pin: self.access.lockout().ok().map(|lockout| lockout.pin_state(has_pin)),
        }
    }

    fn check_new(&self, _: &NewKey) -> Result<(), Error> {
        self.check_making()
    }

    fn plan(&self, _: Option<&Did>) -> Result<Plan, Error> {
        Ok(Plan { pcrs: self.present_pcrs_if_bound()?, ..Plan::default() })
    }

    fn create_as(
        &self,
        plan: &Plan,
        request: &NewKey,
        credentials: &Credentials,
    ) -> Result<Created, Error> {
        let (pin, states) = (&credentials.pin_for(self.kind())?, States::planned(plan));
        self.warn_if_open_to_its_machine();
        match request.algorithm {
            AlgorithmId::Ed25519 => self.create_sealed(states, request, pin),
            AlgorithmId::P256 => {
                if self.config().platform_binding && self.config().policy == PcrPolicy::Literal {
                    log::warn!(
                        "a P-256 key cannot be sealed anew: when these PCRs change for good, it is \
                         lost; policy = \"authorized\" lets an approver sign other values"
                    );
                }
                self.create_p256(states, request, pin)
            }
        }
    }

    fn find(&self, locator: &Locator, did: &Did) -> Result<KeyAtRest, Error> {
        let Locator::Tpm(object) = locator else {
            return Err(DeviceError::ForeignLocator { backend: BackendKind::Tpm }.into());
        };
        let stored = Stored::read(object, Purpose::Key).map_err(tpm)?;
        self.access.check_configured(&object.parent).map_err(tpm)?;
        if object.policy.pin.is_some() {
            // One that is away is told before anybody is asked for the PIN.
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
                    let found = Did::fitting(did.method(), &shown);
                    return Err(OpenError::WrongKey { expected: did, found }.into());
                }
                SealedKey::new(did.clone(), Arc::new(TpmKey { access, object, did }))
            }
        };
        Ok(KeyAtRest::Device(key))
    }

    fn discard(&self, _: &Plan, _: &Credentials) -> Result<bool, Error> {
        // The TPM keeps nothing of an object whose blobs are gone.
        Ok(false)
    }

    fn as_tpm(&self) -> Option<&Self> {
        Some(self)
    }

    fn importer(&self) -> Option<&dyn SeedImport> {
        Some(self)
    }

    fn vault(&self) -> Option<&dyn StorageVault> {
        Some(self)
    }
}

impl StorageVault for TpmBackend {
    fn wrap_as(
        &self,
        plan: &Plan,
        did: &Did,
        storage_key: &LockedText,
        credentials: &Credentials,
    ) -> Result<Option<WrappedKey>, DeviceError> {
        let pin = &credentials.pin_for(self.kind())?;
        let wrapped = self.seal_storage(did, storage_key, pin, States::planned(plan));
        self.access.forget_pin();
        let wrapped = wrapped.and_then(|wrapped| self.check_unmoved(plan).map(|()| wrapped));
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
    ) -> Result<LockedText, DeviceError> {
        let WrappedKey::Tpm(object) = wrapped else {
            let token = self.config().device_path.clone();
            return Err(DeviceError::StorageKey { token, source: None });
        };
        let pin = &credentials.pin_for(self.kind())?;
        let bytes = self.access.unseal(object, Purpose::Storage, did.as_str(), pin);
        self.access.forget_pin();
        let bytes = bytes?;
        std::str::from_utf8(&bytes)
            .map(LockedText::from)
            .map_err(|_| TpmError::Damaged { what: Purpose::Storage.object(), source: None }.into())
    }
}

impl fmt::Debug for TpmBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TpmBackend").field("access", &self.access).finish_non_exhaustive()
    }
}
