//! What a device said, found through the errors around it.

use super::{DeviceError, KeystoreError, OpenError, Pkcs11Error, SignError};

impl DeviceError {
    /// The error of the device that is at the bottom of this one.
    pub(crate) fn innermost(&self) -> &Self {
        match self {
            Self::Pkcs11(Pkcs11Error::NotReopened { source, .. }) => {
                let source = source.downcast_ref::<OpenError>();
                source.and_then(OpenError::device).unwrap_or(self)
            }
            _ => self,
        }
    }
}

impl OpenError {
    /// What a device said, if that is why the key was not opened.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceError> {
        match self {
            Self::Device(error) => Some(error.innermost()),
            Self::Challenge(error) => error.device(),
            _ => None,
        }
    }
}

impl SignError {
    /// What a device said, if that is why nothing was signed.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceError> {
        match self {
            Self::Device(error) => Some(error.innermost()),
            _ => None,
        }
    }
}

impl KeystoreError {
    pub(crate) fn device(&self) -> Option<&DeviceError> {
        match self {
            Self::NotOpened { source, .. } => source.device(),
            _ => None,
        }
    }
}
