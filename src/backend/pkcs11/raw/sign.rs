//! One signature by one `C_SignInit` and one `C_Sign`, whatever the algorithm.

use std::ptr;

use cryptoki::error::{Error, Rv};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki_sys::{CK_MECHANISM, CK_RV, CK_ULONG};
use sha2::{Digest as _, Sha256};

use super::super::failure::{Failure, Named};
use super::super::scheme::signing_mechanism;
use super::{Calls, proxied};
use crate::algorithm::{AlgorithmId, Signature};
use crate::error::Pkcs11Error;

/// Why there is no signature. After it the session may have one pending, and
/// is not to be used again.
pub(in super::super) enum NotSigned {
    /// One of the two calls failed.
    Failed { call: &'static str, failure: Failure },
    /// What was to be done between them failed.
    NotConfirmed(Pkcs11Error),
}

impl NotSigned {
    pub(in super::super) fn into_error(self, of: Named) -> Pkcs11Error {
        match self {
            Self::NotConfirmed(error) => error,
            Self::Failed { call, failure } => failure.into_error(call, of),
        }
    }
}

impl Calls {
    /// Signs exactly `message`: by pure Ed25519, or by ECDSA over its SHA-256,
    /// of which the lower `s` is given out. `confirm` is called in between, for
    /// keys that want their PIN each time ([`Self::can_confirm`]).
    pub(in super::super) fn sign_once(
        &self,
        algorithm: AlgorithmId,
        session: &Session,
        key: ObjectHandle,
        message: &[u8],
        confirm: impl FnOnce() -> Result<(), Pkcs11Error>,
    ) -> Result<Signature, NotSigned> {
        match algorithm {
            AlgorithmId::Ed25519 => self.sign_input(algorithm, session, key, message, confirm),
            AlgorithmId::P256 => {
                let digest = Sha256::digest(message);
                self.sign_input(algorithm, session, key, &digest, confirm)
            }
        }
    }

    /// As [`Self::sign_once`], of what the mechanism takes: for P-256 the SHA-256.
    pub(in super::super) fn sign_input(
        &self,
        algorithm: AlgorithmId,
        session: &Session,
        key: ObjectHandle,
        input: &[u8],
        confirm: impl FnOnce() -> Result<(), Pkcs11Error>,
    ) -> Result<Signature, NotSigned> {
        let signed = self.sign_raw(algorithm, session, key, input, confirm)?;
        Signature::from_bytes(algorithm, signed)
            .to_low_s()
            .map_err(|_| NotSigned::Failed { call: "C_Sign", failure: Failure::SignatureRange })
    }

    fn sign_raw(
        &self,
        algorithm: AlgorithmId,
        session: &Session,
        key: ObjectHandle,
        message: &[u8],
        confirm: impl FnOnce() -> Result<(), Pkcs11Error>,
    ) -> Result<[u8; 64], NotSigned> {
        let failed = |call, failure| NotSigned::Failed { call, failure };
        let Some(functions) = &self.own else {
            return proxied::sign(algorithm, session, key, message)
                .map_err(|failure| failed("C_Sign", failure));
        };
        let missing = || failed("C_SignInit", Error::NullFunctionPointer.into());
        let begin = functions.C_SignInit.ok_or_else(missing)?;
        let sign = functions.C_Sign.ok_or_else(missing)?;
        let mut mechanism = CK_MECHANISM {
            mechanism: signing_mechanism(algorithm),
            pParameter: ptr::null_mut(),
            ulParameterLen: 0,
        };
        // SAFETY: the library is held by `self`; the mechanism outlives the
        // call; handles are plain numbers that the module checks.
        let returned = unsafe { begin(session.handle(), &raw mut mechanism, key.handle()) };
        succeeded("C_SignInit", returned)?;
        confirm().map_err(NotSigned::NotConfirmed)?;

        let mut signature = [0_u8; 64];
        let mut length: CK_ULONG = 64;
        let message_length = CK_ULONG::try_from(message.len())
            .map_err(|error| failed("C_Sign", Failure::Unreadable(error.into())))?;
        // SAFETY: as above; `length` says how much room `signature` has, and
        // the module only reads the message, though its prototype lacks const.
        // `&Session` is not `Send`, so no other thread uses the session.
        let returned = unsafe {
            sign(
                session.handle(),
                message.as_ptr().cast_mut(),
                message_length,
                signature.as_mut_ptr(),
                &raw mut length,
            )
        };
        succeeded("C_Sign", returned)?;
        if length != 64 {
            return Err(NotSigned::Failed { call: "C_Sign", failure: Failure::SignatureLength });
        }
        Ok(signature)
    }
}

fn succeeded(call: &'static str, returned: CK_RV) -> Result<(), NotSigned> {
    match Rv::from(returned) {
        Rv::Ok => Ok(()),
        Rv::Error(error) => Err(NotSigned::Failed { call, failure: Failure::Returned(error) }),
    }
}
