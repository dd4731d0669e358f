//! Whether an identity would open, as far as that shows without its secret.

use super::Home;
use crate::error::{Error, TpmError};
use crate::keystore::Header;
#[cfg(feature = "tpm")]
use crate::keystore::Storage;

impl Home {
    /// What can be known before a person is asked for a secret of the identity with this
    /// header: that its payload can be read, and that its TPM would open it.
    pub(super) fn check_opens(&self, header: &Header) -> Result<(), Error> {
        self.store.check_payload(header)?;
        self.check_device_opens(header)
    }

    /// The same, without a look at the files.
    pub(super) fn check_device_opens(&self, header: &Header) -> Result<(), Error> {
        #[cfg(feature = "tpm")]
        if let (Some(tpm), Some(key), Storage::TpmSealed { object }) =
            (self.backend()?.as_tpm(), header.tpm(), header.storage())
        {
            tpm.check_opens(header.did(), key, object)?;
        }
        #[cfg(not(feature = "tpm"))]
        let _ = header;
        Ok(())
    }

    /// What is wrong with the state of the TPM so that no PIN can help. It is told rather
    /// than what is known of a PIN: wherever that comes from, one state has one answer.
    pub(super) fn no_pin_helps(&self, header: &Header) -> Option<Error> {
        let state = self.check_device_opens(header).err()?;
        let is_such = matches!(
            state.tpm(),
            Some(
                TpmError::PcrMismatch { .. }
                    | TpmError::OtherTpm { .. }
                    | TpmError::ParentChanged { .. }
            )
        );
        is_such.then_some(state)
    }
}
