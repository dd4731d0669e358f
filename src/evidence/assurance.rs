//! How much stands behind what a device says of itself.

use super::fact::Words;
use crate::encoding::named;

/// How much stands behind the evidence. Ordered: more is greater.
///
/// [`crate::DidSignerExt::is_hardware_backed`] is true from [`Self::Claimed`] on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Assurance {
    /// No device stands behind the key.
    None,
    /// A device that is known to be software. Whoever can read its files, or runs
    /// its host, can copy the key.
    SoftToken,
    /// A service elsewhere keeps the key: a cloud's key management, or a secrets
    /// manager. What it keeps keys in cannot be seen from here.
    RemoteService,
    /// The device does not say what it is. It is not known to be software, and it
    /// does not claim to be hardware.
    Unstated,
    /// The device claims to be hardware (`CKF_HW_SLOT`, or a TPM that is not known to
    /// be virtual). Nobody else vouches for it.
    Claimed,
    /// The device's maker vouches that it has this key, and that was verified here. Had
    /// only from a verified attestation (`attestation::AttestedKey`): no file says it and no
    /// configuration, so its name is never read.
    Attested,
}

named! {
    /// The name used in JSON: `none`, `soft-token`, `remote-service`, `unstated`,
    /// `claimed`; and `attested`, which is not taken from anybody.
    Assurance, "an assurance":
    None => "none",
    SoftToken => "soft-token",
    RemoteService => "remote-service",
    Unstated => "unstated",
    Claimed => "claimed";
    Attested => "attested",
}

impl Assurance {
    /// As it is told to others: at most what the device claims. Who wants its maker's word is
    /// shown an attestation.
    pub(crate) fn told(self) -> Self {
        self.min(Self::Claimed)
    }
}

/// What the operator believes of a token: at most what is found, never more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trust {
    /// Whether what the module says of a key's history counts.
    pub(crate) history: bool,
    /// The token is taken for no more than this.
    pub(crate) at_most: Assurance,
}

impl Default for Trust {
    fn default() -> Self {
        Self { history: true, at_most: Assurance::Claimed }
    }
}

impl Trust {
    /// Whose word counts.
    pub(super) const fn words(self, found: Words) -> Words {
        if self.history { found } else { found.without_history() }
    }

    pub(super) fn limit(self, found: Assurance) -> Assurance {
        found.min(self.at_most)
    }
}
