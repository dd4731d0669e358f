//! Whether a backup opens on its TPM as that is now.

use super::Backup;
use crate::backend::TpmObject;
use crate::backend::tpm::{Approval, TpmBackend, TpmCheck, push_approval};
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
        let [key, storage] = self.objects()?;
        tpm.check_with(self.did(), key, storage, None, &self.approvals()?)
    }

    /// Adds an approval to those in the backup, which was made before: the identity is
    /// restored with it, where the PCRs are not as the backup wants them. [`Self::check_on`]
    /// gives the request that it answers.
    ///
    /// # Errors
    ///
    /// [`TpmError::Approval`] if it is for another identity or by another approver;
    /// [`TpmError::TakesNoApproval`]; [`KeystoreError::HeaderMismatch`] if the backup's key
    /// is in no TPM.
    pub fn with_approval(mut self, approval: &Approval) -> Result<Self, Error> {
        approval.check_for(self.did(), self.objects()?)?;
        let mut approvals = self.approvals()?;
        push_approval(&mut approvals, approval.clone());
        let text = serde_json::to_string(&approvals)
            .map_err(|_| TpmError::Approval { reason: "it cannot be written" })?;
        self.approvals = Some(text);
        Ok(self)
    }

    /// The objects of the key and of the storage key.
    fn objects(&self) -> Result<[&TpmObject; 2], Error> {
        match (self.header.tpm(), self.header.storage()) {
            (Some(key), Storage::TpmSealed { object }) => Ok([key, object]),
            _ => Err(KeystoreError::HeaderMismatch { path: "identity.json".into() }.into()),
        }
    }

    fn approvals(&self) -> Result<Vec<Approval>, Error> {
        match &self.approvals {
            None => Ok(Vec::new()),
            Some(text) => Ok(objects::from_str(text).map_err(|_| TpmError::Approval {
                reason: "those in the backup cannot be read",
            })?),
        }
    }

    /// Whether the identity with this header is sealed otherwise than in the backup:
    /// [`reseal`](crate::home::Ready::reseal) was called between. The backup opens with the
    /// PIN and the PCR values that the identity had when it was made, if at all.
    #[must_use]
    pub fn is_other_seal_of(&self, header: &Header) -> bool {
        self.did() == header.did() && self.header.tpm() != header.tpm()
    }
}
