//! A binding as JSON: in the payload of an identity.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Binding, Holder, Instance, Terms};
use crate::algorithm::BadSignature;
use crate::did::Did;
use crate::encoding::objects::Objects;
use crate::encoding::{base64, hex};

/// The old form has neither instance nor epoch. Nothing has one of them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    did: Did,
    #[serde(with = "base64")]
    tls_spki: Vec<u8>,
    #[serde(with = "hex")]
    x25519_public: [u8; 32],
    not_before: u64,
    not_after: u64,
    sequence: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance: Option<Instance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    #[serde(with = "base64")]
    signature: [u8; 64],
}

/// A binding as somebody tells it, in JSON. It says nothing until [`Self::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedBinding(Binding);

impl UnverifiedBinding {
    /// The DID that it claims to be signed by.
    #[must_use]
    pub const fn claimed_did(&self) -> &Did {
        self.0.did()
    }

    /// The binding, if the key of its DID signed it. Whether that is the DID that you
    /// expect, and whether the binding is valid now, is for the caller to compare.
    ///
    /// # Errors
    ///
    /// [`BadSignature`].
    pub fn verify(self) -> Result<Binding, BadSignature> {
        self.0.verify()?;
        Ok(self.0)
    }

    /// For who verifies it with all that it holds together.
    pub(crate) fn into_claimed(self) -> Binding {
        self.0
    }

    /// As it is written.
    pub(crate) const fn of(binding: Binding) -> Self {
        Self(binding)
    }
}

impl Serialize for UnverifiedBinding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for UnverifiedBinding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Stored::deserialize(Objects(deserializer))?.try_into().map_err(D::Error::custom)
    }
}

impl TryFrom<Stored> for UnverifiedBinding {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let holder = match (stored.instance, stored.epoch) {
            (Some(instance), Some(epoch)) => Some(Holder { instance, epoch }),
            (None, None) => None,
            _ => return Err("a binding has an instance and an epoch, or neither"),
        };
        let terms = Terms {
            tls_spki: stored.tls_spki,
            x25519_public: stored.x25519_public,
            not_before: stored.not_before,
            not_after: stored.not_after,
            sequence: stored.sequence,
            holder,
        };
        Ok(Self(Binding::unverified(stored.did, terms, stored.signature)))
    }
}

impl From<Binding> for Stored {
    fn from(binding: Binding) -> Self {
        let Binding { did, terms, signature } = binding;
        Self {
            did,
            tls_spki: terms.tls_spki,
            x25519_public: terms.x25519_public,
            not_before: terms.not_before,
            not_after: terms.not_after,
            sequence: terms.sequence,
            instance: terms.holder.map(|holder| holder.instance),
            epoch: terms.holder.map(|holder| holder.epoch),
            signature,
        }
    }
}
