//! Encryption by one `C_Encrypt`, and decryption by one `C_Decrypt`.

use cryptoki::context::Function;
use cryptoki::error::{Error, Rv};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki_sys::{CK_MECHANISM, CK_ULONG};
use zeroize::Zeroizing;

use super::Calls;

/// The tag of AES-GCM.
const TAG: usize = 16;

impl Calls {
    /// Encrypts with AES-GCM. The length of what comes is known, so the module is
    /// not asked for it: NSS leaves the tag out, and as much again is spared.
    pub(in super::super) fn encrypt(
        &self,
        session: &Session,
        mechanism: &Mechanism<'_>,
        key: ObjectHandle,
        text: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let Some(functions) = &self.own else { return session.encrypt(mechanism, key, text) };
        let begin = functions.C_EncryptInit.ok_or(Error::NullFunctionPointer)?;
        let call = functions.C_Encrypt.ok_or(Error::NullFunctionPointer)?;
        let mut mechanism = CK_MECHANISM::from(mechanism);
        // SAFETY: the library is held by `self`; the mechanism and what it points
        // to outlive the call; handles are plain numbers that the module checks.
        let returned = unsafe { begin(session.handle(), &raw mut mechanism, key.handle()) };
        Rv::from(returned).into_result(Function::EncryptInit)?;
        let mut encrypted = vec![0; text.len() + 2 * TAG];
        let mut length = CK_ULONG::try_from(encrypted.len())?;
        // SAFETY: as above; `length` says how much room there is, and the module
        // only reads the text, though its prototype lacks const.
        let returned = unsafe {
            call(
                session.handle(),
                text.as_ptr().cast_mut(),
                CK_ULONG::try_from(text.len())?,
                encrypted.as_mut_ptr(),
                &raw mut length,
            )
        };
        Rv::from(returned).into_result(Function::Encrypt)?;
        encrypted.truncate(usize::try_from(length)?);
        Ok(encrypted)
    }

    /// Decrypts what [`Self::encrypt`] made.
    pub(in super::super) fn decrypt(
        &self,
        session: &Session,
        mechanism: &Mechanism<'_>,
        key: ObjectHandle,
        encrypted: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let Some(functions) = &self.own else {
            return session.decrypt(mechanism, key, encrypted).map(Zeroizing::new);
        };
        let begin = functions.C_DecryptInit.ok_or(Error::NullFunctionPointer)?;
        let call = functions.C_Decrypt.ok_or(Error::NullFunctionPointer)?;
        let mut mechanism = CK_MECHANISM::from(mechanism);
        // SAFETY: as in `encrypt`.
        let returned = unsafe { begin(session.handle(), &raw mut mechanism, key.handle()) };
        Rv::from(returned).into_result(Function::DecryptInit)?;
        let mut text = Zeroizing::new(vec![0; encrypted.len() + TAG]);
        let mut length = CK_ULONG::try_from(text.len())?;
        // SAFETY: as in `encrypt`.
        let returned = unsafe {
            call(
                session.handle(),
                encrypted.as_ptr().cast_mut(),
                CK_ULONG::try_from(encrypted.len())?,
                text.as_mut_ptr(),
                &raw mut length,
            )
        };
        Rv::from(returned).into_result(Function::Decrypt)?;
        text.truncate(usize::try_from(length)?);
        Ok(text)
    }
}
