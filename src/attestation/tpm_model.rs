//! Which TPM it is.

/// A TPM, as the certificate of its key names it (TCG EK Credential Profile, section 3.2.9).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TpmModel {
    pub(super) manufacturer: String,
    pub(super) model: String,
    pub(super) version: String,
}

impl TpmModel {
    /// Its manufacturer's letters in the TCG vendor ID registry, like `STM`; or eight hexadecimal
    /// digits if they are no letters.
    #[must_use]
    pub fn manufacturer(&self) -> &str {
        &self.manufacturer
    }

    /// What its manufacturer calls it, like `ST33HTPHAHB4`.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Its version when the certificate was issued, like `id:00490004`. What it runs now is
    /// [`Device::firmware`](crate::attestation::Device::firmware).
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}
