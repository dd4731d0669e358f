//! A binding as JSON: in the payload of an identity.

use serde::{Deserialize, Serialize};

use super::{Binding, Holder, Instance, Terms};
use crate::did::Did;
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

impl TryFrom<Stored> for Binding {
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
        Ok(Self::unverified(stored.did, terms, stored.signature))
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
