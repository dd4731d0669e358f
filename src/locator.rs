//! Where a key is, and which kind of backend has it.

mod kind;
mod pkcs11;
mod tpm;
pub mod uri;

use std::path::PathBuf;

pub use self::kind::BackendKind;
pub use self::pkcs11::Pkcs11Locator;
pub(crate) use self::tpm::index_of;
pub use self::tpm::{
    Authorized, InvalidPcrs, Owner, PcrBank, PcrValues, PinStretching, TpmObject, TpmParent,
    TpmPolicy,
};
pub use self::uri::Pkcs11Uri;

/// Where a key is: stable across reboots and renumbered slots.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Locator {
    /// An age file.
    AgeFile(PathBuf),
    /// An object on a token.
    Pkcs11(Pkcs11Locator),
    /// An object of a TPM.
    Tpm(Box<TpmObject>),
}

impl Locator {
    /// Whether its token has shown the key without a login.
    #[cfg(feature = "keystore")]
    pub(crate) const fn is_shown(&self) -> bool {
        matches!(self, Self::Pkcs11(locator) if locator.shown)
    }

    /// The same, where `now` says whether a token has shown the key without a login. What it
    /// has shown once, it is known to show.
    #[cfg(feature = "keystore")]
    pub(crate) fn seen(mut self, now: bool) -> Self {
        if let Self::Pkcs11(locator) = &mut self {
            locator.shown |= now;
        }
        self
    }
}
