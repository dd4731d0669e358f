//! Where keys come from: one seam, a file per backend behind it.
//!
//! [`BackendConfig`] (from `icn.toml`) → [`BackendConfig::open`] →
//! `Box<dyn Backend>`. What only some backends can do is a trait of its own
//! ([`StorageVault`]), so that no backend has a method that can only fail.

mod age;
#[cfg(feature = "pkcs11")]
pub mod pkcs11;
pub mod uri;

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use self::age::AgeKeyStore;
pub use self::uri::Pkcs11Uri;
use crate::config::{AgeConfig, Pkcs11Config};
use crate::did::{Did, DidMethod};
use crate::error::{DeviceError, Error};
use crate::evidence::DeviceIdentity;
use crate::key::{DidKey, Key, Locked, SealedKey, Software};
use crate::secret::{Passphrase, Pin};

/// The kinds of backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BackendKind {
    /// An age file with a passphrase.
    #[default]
    Age,
    /// A token behind a PKCS#11 module.
    Pkcs11,
}

impl BackendKind {
    /// The name used in files and on the command line: `age`, `pkcs11`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Pkcs11 => "pkcs11",
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A backend, configured but not opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum BackendConfig {
    /// An age file in this directory.
    Age {
        /// The identity's directory.
        home: PathBuf,
        /// `[identity.age]`
        config: AgeConfig,
    },
    /// A token behind a PKCS#11 module.
    Pkcs11(Box<Pkcs11Config>),
}

impl BackendConfig {
    /// Opens the backend. No PIN or passphrase is used here.
    ///
    /// # Errors
    ///
    /// [`DeviceError`] if the module or the token cannot be had.
    pub fn open(&self) -> Result<Box<dyn Backend>, Error> {
        match self {
            Self::Age { home, config } => Ok(Box::new(AgeKeyStore::with_config(home, config))),
            #[cfg(feature = "pkcs11")]
            Self::Pkcs11(config) => Ok(Box::new(pkcs11::Pkcs11Backend::open(config)?)),
            #[cfg(not(feature = "pkcs11"))]
            Self::Pkcs11(_) => Err(DeviceError::NoPkcs11.into()),
        }
    }
}

/// A source of keys. Object-safe.
pub trait Backend: fmt::Debug + Send + Sync {
    /// Which kind it is.
    fn kind(&self) -> BackendKind;

    /// What it is, for people and for `doctor`. Uses no credential.
    fn describe(&self) -> Description;

    /// Makes a new key.
    ///
    /// # Errors
    ///
    /// If the credential is refused or the key could not be made; nothing is
    /// left behind then.
    fn create(&self, request: &NewKey, credential: &Credential) -> Result<Created, Error>;

    /// Finds the key at a locator and checks what can be checked without a
    /// credential: that it is there once, and is the key of `did`.
    ///
    /// # Errors
    ///
    /// If it is not there, is there more than once, or is another key.
    fn find(&self, locator: &Locator, did: &Did) -> Result<KeyAtRest, Error>;

    /// Removes a key that [`Backend::create`] has just made, when the identity
    /// around it could not be written.
    ///
    /// # Errors
    ///
    /// If the device failed.
    fn discard(&self, made: &Locator, credential: &Credential) -> Result<(), Error>;

    /// The power to keep a storage key, where the backend has it.
    fn vault(&self) -> Option<&dyn StorageVault> {
        None
    }
}

/// A device that can keep a *storage key*: the secret which opens
/// `identity.age` beside a key that has no passphrase of its own.
pub trait StorageVault {
    /// Encrypts a storage key so that only this device opens it again.
    ///
    /// The device must be open (a key of it unsealed). `None` if the token has
    /// no mechanism for it.
    ///
    /// # Errors
    ///
    /// If the device failed.
    fn wrap(
        &self,
        did: &Did,
        storage_key: &SecretString,
    ) -> Result<Option<WrappedKey>, DeviceError>;

    /// Opens what [`StorageVault::wrap`] made.
    ///
    /// # Errors
    ///
    /// [`DeviceError::StorageKey`] if it was changed, or made for another DID
    /// or device.
    fn unwrap(&self, did: &Did, wrapped: &WrappedKey) -> Result<SecretString, DeviceError>;

    /// Removes the device's part of what [`StorageVault::wrap`] made for this
    /// DID with this very value, when the identity around it could not be
    /// written.
    ///
    /// # Errors
    ///
    /// If the device failed.
    fn discard_storage(&self, did: &Did, credential: &Credential) -> Result<(), DeviceError>;
}

/// A storage key, encrypted to a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum WrappedKey {
    /// By an AES key on the token.
    AesGcm(AesGcmWrapped),
    /// To a P-256 key on the token.
    Ecdh(EcdhWrapped),
}

/// A storage key, encrypted with AES-256-GCM by a key that cannot leave its
/// token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AesGcmWrapped {
    /// `CKA_ID` of the AES key on the token.
    #[serde(with = "crate::keystore::hex")]
    pub(crate) key_id: Vec<u8>,
    /// The 12-byte nonce.
    #[serde(with = "crate::keystore::hex")]
    pub(crate) iv: Vec<u8>,
    /// Ciphertext and 16-byte tag.
    #[serde(with = "crate::keystore::hex")]
    pub(crate) ciphertext: Vec<u8>,
}

/// A storage key, encrypted to a P-256 key that cannot leave its token: by ECDH
/// with an ephemeral key, HKDF-SHA256 and ChaCha20-Poly1305.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EcdhWrapped {
    /// `CKA_ID` of the P-256 pair on the token.
    #[serde(with = "crate::keystore::hex")]
    pub(crate) key_id: Vec<u8>,
    /// The ephemeral public key, 65 bytes (SEC 1, uncompressed).
    #[serde(with = "crate::keystore::hex")]
    pub(crate) ephemeral: Vec<u8>,
    /// Ciphertext and 16-byte tag.
    #[serde(with = "crate::keystore::hex")]
    pub(crate) ciphertext: Vec<u8>,
}

/// What opens a backend's keys.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Credential {
    /// For age files.
    Passphrase(Passphrase),
    /// For tokens.
    Pin(Pin),
}

/// What kind of key to make.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NewKey {
    /// The DID method of the key.
    pub did_method: DidMethod,
    /// A label for people, on backends that have labels.
    pub label: Option<String>,
}

impl NewKey {
    /// A key named by this DID method, without a label.
    #[must_use]
    pub fn new(did_method: DidMethod) -> Self {
        Self { did_method, label: None }
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

/// Where a key is: stable across reboots and renumbered slots.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Locator {
    /// An age file.
    AgeFile(PathBuf),
    /// An object on a token.
    Pkcs11(Pkcs11Locator),
}

/// A key pair on a token: the token by serial and label, the pair by `CKA_ID`.
///
/// Slot numbers change when tokens are added; they are not part of it.
/// `Display` prints the RFC 7512 URI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Pkcs11Locator {
    /// Label of the token (`CK_TOKEN_INFO.label`, trimmed).
    pub token: String,
    /// Serial number of the token, trimmed.
    pub serial: String,
    /// `CKA_ID` of the pair.
    #[serde(with = "crate::keystore::hex")]
    pub id: Vec<u8>,
    /// `CKA_LABEL` of the pair, for people. Not used to find it.
    pub label: String,
}

impl Pkcs11Locator {
    /// A pair by the token's label and serial, and the pair's `CKA_ID`.
    #[must_use]
    pub fn new(token: impl Into<String>, serial: impl Into<String>, id: Vec<u8>) -> Self {
        Self { token: token.into(), serial: serial.into(), id, label: String::new() }
    }
}

impl Pkcs11Locator {
    /// RFC 7512 URI of the token alone.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "called by that backend"))]
    pub(crate) fn token_uri(&self) -> String {
        Pkcs11Uri::from(&Self { id: Vec::new(), label: String::new(), ..self.clone() }).to_string()
    }
}

impl fmt::Display for Pkcs11Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Pkcs11Uri::from(self).fmt(f)
    }
}

/// A key as a backend found it.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyAtRest {
    /// An age file, wants a passphrase.
    Software(Key<Software, Locked>),
    /// A key in a device, wants a PIN.
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
    /// The state of its PIN, where there is a device.
    pub pin: Option<PinState>,
}

/// What a token says about its user PIN (the flags of `CK_TOKEN_INFO`). It
/// never says how many tries are left.
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
}

impl Credential {
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "called by that backend"))]
    pub(crate) fn pin(&self) -> Result<&Pin, DeviceError> {
        match self {
            Self::Pin(pin) => Ok(pin),
            Self::Passphrase(_) => {
                Err(DeviceError::WrongCredential { backend: "pkcs11", wanted: "PIN" })
            }
        }
    }

    pub(crate) fn passphrase(&self) -> Result<&Passphrase, DeviceError> {
        match self {
            Self::Passphrase(passphrase) => Ok(passphrase),
            Self::Pin(_) => {
                Err(DeviceError::WrongCredential { backend: "age", wanted: "passphrase" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locator_prints_as_an_rfc_7512_uri() {
        let mut locator = Pkcs11Locator::new("my token; 1", "ab12", vec![0x01, 0x61]);
        locator.label = "näme".into();
        assert_eq!(
            locator.to_string(),
            "pkcs11:token=my%20token%3B%201;serial=ab12;object=n%C3%A4me;id=%01%61;type=private"
        );
    }
}
