//! `TPM2_ActivateCredential`: shows that an AK and the EK of a certificate are in one TPM.

use tss_esapi::Context;
use tss_esapi::handles::AuthHandle;
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{Digest, EncryptedSecret, IdObject, Nonce};
use zeroize::Zeroizing;

use super::endorsement::{EkTemplate, Made, of_hierarchy, with_ak, with_ek};
use super::nv;
use crate::backend::tpm::chip::{Reconnect, flushing};
use crate::backend::tpm::failure::{Doing as _, Failed, Meaning};
use crate::backend::tpm::{TpmBackend, session, tpm};
use crate::error::{Error, TpmError};

const DOING: &str = "activate a credential";

impl TpmBackend {
    /// **Blocks** on the device. Answers an activation: gives the secret (32 bytes, as the relying
    /// party chose them) that only the TPM with this EK decrypts, and only if it has the AK whose
    /// Name the secret was encrypted for. No PIN is used, and nothing stays loaded.
    ///
    /// `credential` is the content of a `TPM2B_ID_OBJECT`, `secret` that of a
    /// `TPM2B_ENCRYPTED_SECRET`, both without the two bytes of their length (TPM 2.0 Library,
    /// part 2, sections 12.4.3 and 11.4.3).
    ///
    /// # Errors
    ///
    /// [`TpmError::OtherActivation`] if it is for another AK or EK than this TPM has; [`TpmError::EndorsementPassword`], [`TpmError::NoEndorsementHierarchy`].
    pub fn answer(&self, credential: &[u8], secret: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let answered = self.access.chip.work(Reconnect::Once, |work| {
            let context = &mut *work.context;
            let found = nv::certificates(context)?;
            // Its certificate may be elsewhere than in the TPM.
            let template = found.iter().find_map(|place| place.template());
            let template = template.unwrap_or(EkTemplate::L2);
            with_ak(context, |context, ak| {
                with_ek(context, template, |context, ek| {
                    activate(context, ak, (template, ek), credential, secret)
                })
            })
        });
        answered.map_err(tpm)
    }
}

fn activate(
    context: &mut Context,
    ak: &Made,
    (template, ek): (EkTemplate, &Made),
    credential: &[u8],
    secret: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failed> {
    let foreign = || TpmError::OtherActivation { source: None };
    let credential = IdObject::try_from(credential).map_err(|_| foreign())?;
    let secret = EncryptedSecret::try_from(secret).map_err(|_| foreign())?;
    let activate = |context: &mut Context, of_ek: AuthSession, more: Option<AuthSession>| {
        let sessions = (Some(AuthSession::Password), Some(of_ek), more);
        let given = context.execute_with_sessions(sessions, |context| {
            context.activate_credential(ak.handle, ek.handle, credential, secret)
        });
        given.doing(DOING)
    };
    // Salted to the EK: what the TPM decrypts comes back encrypted.
    let given = match template {
        EkTemplate::L2 => {
            let policy = session::policy(context, ek.handle)?;
            flushing(context, session::handle(policy), |context| {
                allow_by_hierarchy(context, policy)?;
                activate(context, policy.into(), None)
            })
        }
        EkTemplate::H2 => {
            let encrypting = session::encrypting(context, ek.handle)?;
            flushing(context, session::handle(encrypting), |context| {
                activate(context, AuthSession::Password, Some(encrypting))
            })
        }
    };
    let given = given.map_err(|failed| match (failed.meaning(), failed) {
        (
            Some(Meaning::Integrity | Meaning::Malformed | Meaning::Value | Meaning::Other),
            Failed::Call(failure),
        ) => TpmError::OtherActivation { source: Some(Box::new(failure)) }.into(),
        (_, failed) => failed,
    })?;
    Ok(Zeroizing::new(given.value().to_vec()))
}

/// Policy A: by the empty password of the endorsement hierarchy.
fn allow_by_hierarchy(context: &mut Context, policy: PolicySession) -> Result<(), Failed> {
    let allowed = context.execute_with_session(Some(AuthSession::Password), |context| {
        let (nonce, cp_hash, reference) = (Nonce::default(), Digest::default(), Nonce::default());
        context.policy_secret(policy, AuthHandle::Endorsement, nonce, cp_hash, reference, None)
    });
    allowed.doing(DOING).map_err(of_hierarchy).map(drop)
}
