//! The decryption keys of older identities, dropped when they are no longer needed.

use super::journal::During;
use super::located::Located;
use crate::backend::Credentials;
use crate::did::Did;
use crate::error::{Error, KeystoreError};

impl Located<'_> {
    /// **Blocks** on device, scrypt and files. Removes the decryption keys of an older
    /// DID from the payload: what was encrypted to that DID does not open with this
    /// identity any more. Copies made before (backups) still have them, and so have the
    /// older identity's own files.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::NoRetiredKey`] if there is none of that DID; as
    /// [`Self::open`]. The files are as they were then.
    pub fn remove_retired_decryption_keys(
        self,
        credentials: &Credentials,
        did: &Did,
    ) -> Result<(), Error> {
        self.store.check_unmoved(During::Nothing)?;
        let mut session = self.session(credentials)?;
        if session.payload.remove_retired_keys(did) == 0 {
            return Err(KeystoreError::NoRetiredKey { did: did.clone() }.into());
        }
        session.rewrite()
    }
}
