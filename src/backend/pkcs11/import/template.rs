//! What a key is written with.

use std::ops::Deref;

use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use zeroize::Zeroize as _;

use super::super::template::{confined, from_strict_to_plain};

/// Templates of a private key without its value, from the strictest on: for signatures
/// alone, and shown to nobody in each of them.
pub(super) fn private(id: &[u8], label: &str) -> [Vec<Attribute>; 3] {
    let mut needed = vec![
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(KeyType::EC_EDWARDS),
        Attribute::Token(true),
        Attribute::Sign(true),
    ];
    needed.extend(confined(id, label));
    let usages_off = [
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
        Attribute::SignRecover(false),
    ];
    from_strict_to_plain(&needed, &usages_off)
}

/// A template with a secret value, which is wiped when this is dropped.
pub(super) struct Written(Vec<Attribute>);

impl Written {
    pub(super) const fn new(attributes: Vec<Attribute>) -> Self {
        Self(attributes)
    }

    pub(super) fn push(&mut self, attribute: Attribute) {
        self.0.push(attribute);
    }

    /// `CKA_VALUE`.
    pub(super) fn push_secret(&mut self, secret: &[u8; 32]) {
        // Where the attribute is moves; its bytes stay where they are.
        self.0.push(Attribute::Value(secret.to_vec()));
    }
}

impl Deref for Written {
    type Target = [Attribute];

    fn deref(&self) -> &[Attribute] {
        &self.0
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        for attribute in &mut self.0 {
            if let Attribute::Value(secret) = attribute {
                secret.zeroize();
            }
        }
    }
}

/// Whether an error says nothing of what a token can do: it was lost, it is full, nobody is
/// logged in.
pub(super) const fn is_of_the_moment(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::DeviceError
                | RvError::DeviceMemory
                | RvError::DeviceRemoved
                | RvError::TokenNotPresent
                | RvError::TokenWriteProtected
                | RvError::HostMemory
                | RvError::SessionHandleInvalid
                | RvError::SessionClosed
                | RvError::SessionCount
                | RvError::SessionReadOnly
                | RvError::CryptokiNotInitialized
                | RvError::UserNotLoggedIn
                | RvError::PinExpired
                | RvError::OperationActive,
            _
        )
    )
}
