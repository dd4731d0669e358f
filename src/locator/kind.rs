//! The kinds of backends, by name.

use crate::encoding::named;

/// The kinds of backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum BackendKind {
    /// An age file with a passphrase.
    #[default]
    Age,
    /// A token behind a PKCS#11 module.
    Pkcs11,
    /// A TPM 2.0.
    Tpm,
}

named! {
    /// The name used in files and on the command line: `age`, `pkcs11`, `tpm`.
    BackendKind, "a backend": Age => "age", Pkcs11 => "pkcs11", Tpm => "tpm"
}
