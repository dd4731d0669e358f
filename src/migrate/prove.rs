//! What the new process does that a migration has opened, and that uses the new key.

use super::Migration;
use crate::did::Did;
use crate::error::Error;
use crate::home::{CredentialSource, Home, Wants};
use crate::keystore::PROOF_CONTEXT;
use crate::rotation::RotationError;

impl Migration {
    /// **Blocks** on device, scrypt and files. Opens the new identity of a migration by its
    /// locator, signs with it, and verifies that: for [`Operator::prove`], in the process that
    /// it starts. Nothing else opens that identity before it is in use. `home` is the one in
    /// [`Staged::directory`]; the credential is what [`read_credentials`] gives.
    ///
    /// # Errors
    ///
    /// As [`Home::locate`] and [`Home::unlock`]; [`RotationError::NotThisIdentity`] if the key
    /// that has opened is another one.
    ///
    /// [`Operator::prove`]: super::Operator::prove
    /// [`Staged::directory`]: super::Staged::directory
    /// [`read_credentials`]: super::read_credentials
    pub fn prove_staged(
        home: &Home,
        source: impl FnOnce(&Wants) -> Result<CredentialSource<'static>, Error>,
    ) -> Result<Did, Error> {
        let home = home.as_staged()?;
        let identity = home.locate()?;
        let did = identity.did().clone();
        let source = source(&identity.wants())?;
        let bundle = identity.ask(source)?.unlock_without_renewal()?.bundle;
        let message = bundle.certificate_der().to_vec();
        let signature = bundle.sign_for(PROOF_CONTEXT, &message)?;
        did.verifying_key().verify_for(PROOF_CONTEXT, &message, &signature)?;
        if bundle.did() != &did {
            let (expected, found) = (did, bundle.did().clone());
            return Err(RotationError::NotThisIdentity { expected, found }.into());
        }
        Ok(did)
    }
}
