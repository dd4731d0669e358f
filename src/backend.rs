//! Where keys come from: one seam, a file per backend behind it.
//!
//! [`BackendConfig`] (from `icn.toml`) → [`BackendConfig::open`] →
//! `Box<dyn Backend>`. What only some backends can do is a trait of its own
//! ([`StorageVault`]), so that no backend has a method that can only fail.

mod age;
mod config;
mod credentials;
pub mod doctor;
pub(crate) mod mark;
#[cfg(feature = "pkcs11")]
pub mod pkcs11;
mod plan;
mod seed_import;
#[cfg(feature = "tpm")]
pub mod tpm;
mod vault;

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

pub use self::age::AgeKeyStore;
pub use self::config::BackendConfig;
pub use self::credentials::Credentials;
pub(crate) use self::plan::ObjectNames;
pub use self::plan::Plan;
pub use self::seed_import::{Imported, ImportedKey, SeedImport};
pub use self::vault::{AesGcmWrapped, EcdhWrapped, StorageVault, WrappedKey};
use crate::algorithm::AlgorithmId;
use crate::did::{Did, DidMethod};
use crate::error::Error;
use crate::evidence::{DeviceIdentity, Lockout};
use crate::key::{DidKey, Key, Locked, SealedKey, Software};
pub use crate::locator::{
    Authorized, BackendKind, InvalidPcrs, Locator, Owner, PcrBank, PcrValues, PinStretching,
    Pkcs11Locator, Pkcs11Uri, TpmObject, TpmParent, TpmPolicy, uri,
};
use crate::private;

/// A source of keys. Object-safe.
///
/// # Sealed
///
/// Implemented by [`AgeKeyStore`], `Pkcs11Backend` and `TpmBackend`.
pub trait Backend: fmt::Debug + Send + Sync + private::OurBackend {
    /// Which kind it is.
    fn kind(&self) -> BackendKind;

    /// **Blocks** on the device. What it is, for people and for `doctor`. Uses no
    /// credential.
    fn describe(&self) -> Description;

    /// **Blocks** on the device. Whether a key could be made, as far as that shows without
    /// a credential: so that nobody is asked for one in vain.
    ///
    /// # Errors
    ///
    /// As [`Self::create_as`].
    fn check_new(&self, request: &NewKey) -> Result<(), Error> {
        let _ = request;
        Ok(())
    }

    /// **Blocks** on device and files. Decides what can be decided before a key is
    /// made, or a storage key beside the one of `found`. Uses no credential, and
    /// makes nothing.
    ///
    /// # Errors
    ///
    /// If the device cannot be had.
    fn plan(&self, found: Option<&Did>) -> Result<Plan, Error> {
        let _ = found;
        Ok(Plan::default())
    }

    /// **Blocks** on device and files. Makes a new key.
    ///
    /// # Errors
    ///
    /// If the credential is refused or the key could not be made; nothing is
    /// left behind then.
    fn create(&self, request: &NewKey, credentials: &Credentials) -> Result<Created, Error> {
        self.create_as(&Plan::default(), request, credentials)
    }

    /// **Blocks** on device and files. Makes a new key as it was planned.
    ///
    /// # Errors
    ///
    /// As [`Self::create`]; [`Pkcs11Error::LeftBehind`] where a token did not let
    /// go of what was begun.
    ///
    /// [`Pkcs11Error::LeftBehind`]: crate::error::Pkcs11Error::LeftBehind
    fn create_as(
        &self,
        plan: &Plan,
        request: &NewKey,
        credentials: &Credentials,
    ) -> Result<Created, Error>;

    /// **Blocks** on device and files. Finds the key at a locator and checks what can
    /// be checked without a credential: that it is there once, and is the key of
    /// `did`.
    ///
    /// # Errors
    ///
    /// If it is not there, is there more than once, or is another key.
    fn find(&self, locator: &Locator, did: &Did) -> Result<KeyAtRest, Error>;

    /// **Blocks** on device and files. Removes whatever was made by this plan: the
    /// key, and what keeps its storage key. That there is nothing of it is no error: whether
    /// the key was there on a device.
    ///
    /// # Errors
    ///
    /// If the device failed.
    fn discard(&self, plan: &Plan, credentials: &Credentials) -> Result<bool, Error>;

    /// **Blocks** on device and files. That [`Self::discard`] could remove what was made by
    /// this plan: the device is there, and takes the credential. Removes nothing.
    ///
    /// # Errors
    ///
    /// As there.
    fn check_discard(&self, _plan: &Plan, _credentials: &Credentials) -> Result<(), Error> {
        Ok(())
    }

    /// **Blocks** on the device. Whether the key at a locator, which is open, shows that an
    /// identity was made around it before.
    ///
    /// # Errors
    ///
    /// If the device failed.
    fn had_identity(&self, _locator: &Locator, _did: &Did) -> Result<bool, Error> {
        Ok(false)
    }

    /// The TPM, where the backend is one: for what only it can do.
    #[cfg(feature = "tpm")]
    fn as_tpm(&self) -> Option<&tpm::TpmBackend> {
        None
    }

    /// The PKCS#11 module, where the backend is one: for what only it can do.
    #[cfg(feature = "pkcs11")]
    fn as_pkcs11(&self) -> Option<&pkcs11::Pkcs11Backend> {
        None
    }

    /// The power to keep a storage key, where the backend has it.
    fn vault(&self) -> Option<&dyn StorageVault> {
        None
    }

    /// The power to take a key that was in a file, where the backend has it.
    fn importer(&self) -> Option<&dyn SeedImport> {
        None
    }

    /// **Blocks** on device and files. Whether a new storage key may be kept, as far
    /// as is known before it is tried. If not, a new identity wants a passphrase
    /// beside its PIN.
    fn makes_storage_keys(&self) -> bool {
        self.vault().is_some()
    }
}

/// What kind of key to make.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NewKey {
    /// The DID method of the key. A P-256 key has a `did:key` whatever is said
    /// here.
    pub did_method: DidMethod,
    /// The algorithm of the key.
    pub algorithm: AlgorithmId,
    /// A label for people, on backends that have labels.
    pub label: Option<String>,
}

impl NewKey {
    /// An Ed25519 key named by this DID method, without a label.
    #[must_use]
    pub fn new(did_method: DidMethod) -> Self {
        Self { did_method, algorithm: AlgorithmId::Ed25519, label: None }
    }

    /// A key of another algorithm.
    #[must_use]
    pub const fn with_algorithm(mut self, algorithm: AlgorithmId) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// With a label.
    #[must_use]
    pub fn with_label(mut self, label: Option<String>) -> Self {
        self.label = label;
        self
    }
}

/// A key that was just made, open, and where it is found again.
#[derive(Debug)]
#[non_exhaustive]
pub struct Created {
    /// The key.
    pub key: DidKey,
    /// Where it is.
    pub locator: Locator,
}

/// A key as a backend found it.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyAtRest {
    /// An age file, wants a passphrase.
    Software(Key<Software, Locked>),
    /// A key in a device or sealed to one, wants a PIN or a policy.
    Device(SealedKey),
}

/// What a backend is, for people and for `doctor`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Description {
    /// The kind of backend.
    pub kind: BackendKind,
    /// The directory or module it works on.
    pub location: PathBuf,
    /// The device, where there is one.
    pub device: Option<DeviceIdentity>,
    /// Whether another token was seen with the label and serial number of this one.
    pub shares_name: bool,
    /// The state of its PIN, where there is a device.
    pub pin: Option<PinState>,
    /// Another token was seen with its serial number.
    pub(crate) shares_serial: bool,
    /// The slot of a token, if the configuration names it.
    pub(crate) slot: Option<u64>,
    /// The keys that a token shows to anybody, if it may share its name.
    pub(crate) shown: Vec<Did>,
}

impl Description {
    /// Whether another token has the label and serial number of this one, or may have: its
    /// number says nothing.
    pub(crate) fn may_share_name(&self) -> bool {
        let has_number = self.device.as_ref().is_none_or(DeviceIdentity::has_own_serial);
        self.shares_name || !has_number
    }
}

/// What a device says about its PIN: for a token the flags of `CK_TOKEN_INFO`,
/// which never say how many tries are left; for a TPM its lock-out counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct PinState {
    /// `CKF_USER_PIN_INITIALIZED`
    pub initialized: bool,
    /// `CKF_USER_PIN_COUNT_LOW`: a wrong PIN was entered since the last right one.
    pub count_low: bool,
    /// `CKF_USER_PIN_FINAL_TRY`: the next wrong PIN locks it.
    pub final_try: bool,
    /// `CKF_USER_PIN_LOCKED`
    pub locked: bool,
    /// `CKF_USER_PIN_TO_BE_CHANGED`
    pub to_be_changed: bool,
    /// `CKF_PROTECTED_AUTHENTICATION_PATH`: the PIN is entered at the token.
    pub pin_pad: bool,
    /// None of the flags ever says that a wrong PIN was entered, or that the PIN is locked:
    /// the module is known to set none (tpm2-pkcs11, NSS).
    pub silent: bool,
    /// What wrong PINs lead to, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lockout: Option<Lockout>,
    /// How many wrong PINs a TPM takes before it locks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tries_left: Option<u32>,
}
