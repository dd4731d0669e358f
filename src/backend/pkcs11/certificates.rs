//! Certificates that a token shows: a device's own ones for its keys, for an attestation.

use cryptoki::object::{Attribute, AttributeType, ObjectClass};

use super::Pkcs11Backend;
use super::object::Objects;
use crate::error::Pkcs11Error;

/// No certificate of a device is longer, in bytes.
const MAX_LENGTH: usize = 16 * 1024;

/// More are not read.
const MAX_COUNT: usize = 256;

impl Pkcs11Backend {
    /// **Blocks** on the device. The certificates that the configured token shows to anybody
    /// (`CKO_CERTIFICATE`), as it has them: nothing of them is read or verified. No PIN is used.
    ///
    /// # Errors
    ///
    /// If there is not exactly one such token, or it cannot be searched.
    pub fn certificates(&self) -> Result<Vec<Vec<u8>>, Pkcs11Error> {
        let token = self.token()?;
        let session = token.session()?;
        let objects = Objects { token: &token, session: &session };
        let any = [Attribute::Class(ObjectClass::CERTIFICATE), Attribute::Token(true)];
        let mut found = Vec::new();
        for object in objects.find(&any)?.into_iter().take(MAX_COUNT) {
            let told = session.get_attributes(object, &[AttributeType::Value]);
            for told in told.map_err(token.failed("C_GetAttributeValue"))? {
                if let Attribute::Value(der) = told
                    && (1..=MAX_LENGTH).contains(&der.len())
                {
                    found.push(der);
                }
            }
        }
        Ok(found)
    }
}
