//! Devices that keep the key to what lies beside a key of theirs.

use serde::{Deserialize, Serialize};

use super::{Credentials, Plan, TpmObject};
use crate::did::Did;
use crate::encoding::objects::object_only;
use crate::error::DeviceError;
use crate::private;
use crate::secret::LockedText;

/// A device that can keep a *storage key*: the secret which opens
/// `identity.age` beside a key that has no passphrase of its own.
///
/// # Sealed
///
/// Implemented by `Pkcs11Backend` and `TpmBackend`.
pub trait StorageVault: private::OurBackend {
    /// **Blocks** on the device. Encrypts a storage key so that only this device
    /// opens it again.
    ///
    /// A token must be open (a key of it unsealed); a TPM takes the credential.
    /// `None` if the token has no way that works: a passphrase does it then.
    ///
    /// # Errors
    ///
    /// If the device was lost, or does not let go of what was begun.
    fn wrap(
        &self,
        did: &Did,
        storage_key: &LockedText,
        credentials: &Credentials,
    ) -> Result<Option<WrappedKey>, DeviceError> {
        self.wrap_as(&Plan::default(), did, storage_key, credentials)
    }

    /// **Blocks** on the device. The same, as it was planned.
    ///
    /// # Errors
    ///
    /// As [`StorageVault::wrap`].
    fn wrap_as(
        &self,
        plan: &Plan,
        did: &Did,
        storage_key: &LockedText,
        credentials: &Credentials,
    ) -> Result<Option<WrappedKey>, DeviceError>;

    /// **Blocks** on the device. Opens what [`StorageVault::wrap`] made.
    ///
    /// # Errors
    ///
    /// [`DeviceError::StorageKey`] if it was changed, or made for another DID
    /// or device.
    fn unwrap(
        &self,
        did: &Did,
        wrapped: &WrappedKey,
        credentials: &Credentials,
    ) -> Result<LockedText, DeviceError>;
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
    /// Sealed to a TPM, apart from the identity's key.
    Tpm(Box<TpmObject>),
}

impl From<AesGcmWrapped> for WrappedKey {
    fn from(wrapped: AesGcmWrapped) -> Self {
        Self::AesGcm(wrapped)
    }
}

impl From<EcdhWrapped> for WrappedKey {
    fn from(wrapped: EcdhWrapped) -> Self {
        Self::Ecdh(wrapped)
    }
}

/// A storage key, encrypted with AES-256-GCM by a key that cannot leave its
/// token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AesGcmWrapped {
    /// `CKA_ID` of the AES key on the token.
    #[serde(with = "crate::encoding::hex")]
    pub(crate) key_id: Vec<u8>,
    /// The 12-byte nonce.
    #[serde(with = "crate::encoding::hex")]
    pub(crate) iv: Vec<u8>,
    /// Ciphertext and 16-byte tag.
    #[serde(with = "crate::encoding::hex")]
    pub(crate) ciphertext: Vec<u8>,
}

/// A storage key, encrypted to a P-256 key that cannot leave its token: by ECDH
/// with an ephemeral key, HKDF-SHA256 and ChaCha20-Poly1305.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EcdhWrapped {
    /// `CKA_ID` of the P-256 pair on the token.
    #[serde(with = "crate::encoding::hex")]
    pub(crate) key_id: Vec<u8>,
    /// The ephemeral public key, 65 bytes (SEC 1, uncompressed).
    #[serde(with = "crate::encoding::hex")]
    pub(crate) ephemeral: Vec<u8>,
    /// Ciphertext and 16-byte tag.
    #[serde(with = "crate::encoding::hex")]
    pub(crate) ciphertext: Vec<u8>,
}

/// As they are read.
mod fields {
    use super::*;

    #[derive(Deserialize)]
    #[serde(remote = "AesGcmWrapped", deny_unknown_fields)]
    pub(super) struct AesGcm {
        #[serde(with = "crate::encoding::hex")]
        key_id: Vec<u8>,
        #[serde(with = "crate::encoding::hex")]
        iv: Vec<u8>,
        #[serde(with = "crate::encoding::hex")]
        ciphertext: Vec<u8>,
    }

    #[derive(Deserialize)]
    #[serde(remote = "EcdhWrapped", deny_unknown_fields)]
    pub(super) struct Ecdh {
        #[serde(with = "crate::encoding::hex")]
        key_id: Vec<u8>,
        #[serde(with = "crate::encoding::hex")]
        ephemeral: Vec<u8>,
        #[serde(with = "crate::encoding::hex")]
        ciphertext: Vec<u8>,
    }
}

object_only!(AesGcmWrapped as fields::AesGcm, EcdhWrapped as fields::Ecdh);
