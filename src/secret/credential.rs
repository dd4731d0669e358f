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

credential! {
    /// The user PIN of a token (UTF-8).
    Pin
}

impl Passphrase {
    pub(crate) fn to_secret_string(&self) -> SecretString {
        self.0.clone()
    }
}
