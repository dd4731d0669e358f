//! What a person knows: a passphrase or a PIN.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

macro_rules! credential {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Zeroized when dropped; `Debug` shows nothing of it.
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Takes the text as it is, without trimming.
            #[must_use]
            pub fn new(text: impl Into<SecretString>) -> Self {
                Self(text.into())
            }

            pub(crate) fn expose(&self) -> &str {
                self.0.expose_secret()
            }

            /// Whether there is nothing in it.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.expose().is_empty()
            }

            /// Compares in time that depends on the lengths only.
            #[must_use]
            pub fn ct_eq(&self, other: &Self) -> bool {
                use subtle::ConstantTimeEq;
                self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
            }
        }

        impl From<SecretString> for $name {
            fn from(text: SecretString) -> Self {
                Self(text)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

credential! {
    /// The passphrase of an age file (UTF-8).
    Passphrase
}

/// The user PIN of a token (UTF-8), or word that it is entered at the token's
/// own PIN pad.
///
/// Zeroized when dropped; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Pin(Option<SecretString>);

impl Pin {
    /// Takes the text as it is, without trimming.
    #[must_use]
    pub fn new(text: impl Into<SecretString>) -> Self {
        Self(Some(text.into()))
    }

    /// The PIN is entered at the token's PIN pad, and never in this process
    /// (`CKF_PROTECTED_AUTHENTICATION_PATH`).
    #[must_use]
    pub const fn at_pin_pad() -> Self {
        Self(None)
    }

    /// `None` if it is entered at a PIN pad.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "read by that backend"))]
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.as_ref().map(ExposeSecret::expose_secret)
    }

    /// Whether there is nothing in it (and it is not entered at a PIN pad).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_some_and(|text| text.expose_secret().is_empty())
    }
}

impl From<SecretString> for Pin {
    fn from(text: SecretString) -> Self {
        Self(Some(text))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pin").finish_non_exhaustive()
    }
}

impl Passphrase {
    pub(crate) fn to_secret_string(&self) -> SecretString {
        self.0.clone()
    }
}
