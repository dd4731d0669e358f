//! What opens the files beside the header.

use serde::{Deserialize, Deserializer, Serialize};

use crate::backend::{AesGcmWrapped, EcdhWrapped, TpmObject, WrappedKey};
use crate::encoding::objects;

/// What opens `identity.age`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Storage {
    /// A passphrase.
    Passphrase {},
    /// A storage key, which this AES-GCM key on the token releases.
    Pkcs11AesGcm {
        /// The encrypted storage key.
        wrapped: AesGcmWrapped,
    },
    /// A storage key, which this P-256 key on the token releases.
    Pkcs11Ecdh {
        /// The encrypted storage key.
        wrapped: EcdhWrapped,
    },
    /// A storage key that is sealed to the TPM.
    TpmSealed {
        /// The sealed object.
        object: Box<TpmObject>,
    },
}

/// As it is read.
#[derive(Deserialize)]
#[serde(remote = "Storage", rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
enum StorageKind {
    Passphrase {},
    Pkcs11AesGcm { wrapped: AesGcmWrapped },
    Pkcs11Ecdh { wrapped: EcdhWrapped },
    TpmSealed { object: Box<TpmObject> },
}

impl<'de> Deserialize<'de> for Storage {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(transparent)]
        struct Whole(#[serde(with = "StorageKind")] Storage);
        objects::tagged(from).map(|Whole(storage)| storage)
    }
}

impl From<WrappedKey> for Storage {
    fn from(wrapped: WrappedKey) -> Self {
        match wrapped {
            WrappedKey::AesGcm(wrapped) => Self::Pkcs11AesGcm { wrapped },
            WrappedKey::Ecdh(wrapped) => Self::Pkcs11Ecdh { wrapped },
            WrappedKey::Tpm(object) => Self::TpmSealed { object },
        }
    }
}

impl Storage {
    /// Its name in the header: `passphrase`, `pkcs11-aes-gcm`, `pkcs11-ecdh`,
    /// `tpm-sealed`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Passphrase {} => "passphrase",
            Self::Pkcs11AesGcm { .. } => "pkcs11-aes-gcm",
            Self::Pkcs11Ecdh { .. } => "pkcs11-ecdh",
            Self::TpmSealed { .. } => "tpm-sealed",
        }
    }

    /// What the device opens, unless a passphrase does.
    pub(in crate::keystore) fn wrapped(&self) -> Option<WrappedKey> {
        match self {
            Self::Passphrase {} => None,
            Self::Pkcs11AesGcm { wrapped } => Some(WrappedKey::AesGcm(wrapped.clone())),
            Self::Pkcs11Ecdh { wrapped } => Some(WrappedKey::Ecdh(wrapped.clone())),
            Self::TpmSealed { object } => Some(WrappedKey::Tpm(object.clone())),
        }
    }
}
