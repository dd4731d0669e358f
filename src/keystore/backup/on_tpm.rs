//! Whether a backup opens on its TPM as that is now.

use super::Backup;
use crate::backend::tpm::{Approval, TpmBackend, TpmCheck};
use crate::encoding::objects;
use crate::error::{Error, KeystoreError, TpmError};
use crate::keystore::{Header, Storage};

impl Backup {
    /// **Blocks** on the device. Whether this TPM opens what is in the backup now, with
    /// the approvals that are in it. No PIN is used, and no try spent: whether the
    /// backup's PIN is still the one that you know is not told by that.
    ///
    /// # Errors
    ///
    /// [`TpmError::OtherTpm`] and the like if it is another TPM;
    /// [`KeystoreError::HeaderMismatch`] if the backup's key is in none.
    pub fn check_on(&self, tpm: &TpmBackend) -> Result<TpmCheck, Error> {
        let (Some(key), Storage::TpmSealed { object }) = (self.header.tpm(), self.header.storage())
        else {
            return Err(KeystoreError::HeaderMismatch { path: "identity.json".into() }.into());
        };
        let approvals: Vec<Approval> = match &self.approvals {
            None => Vec::new(),
            Some(text) => objects::from_str(text)
                .map_err(|_| TpmError::Approval { reason: "those in the backup cannot be read" })?,
        };
        tpm.check_with(self.did(), key, object, None, &approvals)
    }

    /// Whether the identity with this header is sealed otherwise than in the backup:
    /// [`reseal`](crate::home::Ready::reseal) was called between. The backup opens with the
    /// PIN and the PCR values that the identity had when it was made, if at all.
    #[must_use]
    pub fn is_other_seal_of(&self, header: &Header) -> bool {
        self.did() == header.did() && self.header.tpm() != header.tpm()
    }
}
