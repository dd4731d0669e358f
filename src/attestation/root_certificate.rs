//! Which authority it was that a verification ended at.

use std::fmt;

/// The root that a key's certificates lead to: whose word it is. It is the device's maker's as
/// far as the relying party has made sure of that.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RootCertificate {
    pub(super) subject: String,
    pub(super) sha256: [u8; 32],
    pub(super) is_built_in: bool,
}

impl RootCertificate {
    /// The name that stands in it, like `CN=Yubico YubiHSM Root CA`. **Whoever made it has
    /// chosen that**: for one that is not [built in](Self::is_built_in) it is [`Self::sha256`] that
    /// tells which it is. It may hold any characters.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The SHA-256 of the certificate in DER.
    #[must_use]
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Whether it came with this crate ([`Anchors::yubico`](super::Anchors::yubico)), and was not
    /// added by whoever verifies.
    #[must_use]
    pub const fn is_built_in(&self) -> bool {
        self.is_built_in
    }
}

impl fmt::Display for RootCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = if self.is_built_in { "built in" } else { "added by who verifies" };
        write!(f, "{} ({origin})", self.subject)
    }
}
