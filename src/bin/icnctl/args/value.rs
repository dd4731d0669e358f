//! Values that several commands take.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::{PathBufValueParser, StringValueParser, TypedValueParser};
use icn_identity::AlgorithmId;
use icn_identity::backend::BackendKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    Age,
    Pkcs11,
    Tpm,
}

impl From<Backend> for BackendKind {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Age => Self::Age,
            Backend::Pkcs11 => Self::Pkcs11,
            Backend::Tpm => Self::Tpm,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    Ed25519,
    P256,
}

impl From<Algorithm> for AlgorithmId {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Ed25519 => Self::Ed25519,
            Algorithm::P256 => Self::P256,
        }
    }
}

/// How a public key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PublicKeyFormat {
    /// SubjectPublicKeyInfo in PEM, as OpenSSL reads it
    Pem,
    /// A JSON Web Key
    Jwk,
    /// Multikey, as in DID documents
    Multibase,
    /// A line of OpenSSH's authorized_keys and allowed_signers
    Openssh,
    /// The bytes themselves, in hex
    Hex,
}

/// Of a value that is written in letters and figures alone: a DID, a signature, a
/// recipient, a URI. White space around it, and what editors put before a text, come with
/// `"$(cat FILE)"`, and are no part of it.
pub(crate) fn encoded() -> impl TypedValueParser<Value = String> {
    StringValueParser::new().map(|text| trimmed(&text).to_owned())
}

/// Of a number, in the same way.
pub(crate) fn number() -> impl TypedValueParser<Value = u64> {
    StringValueParser::new().try_map(|text| trimmed(&text).parse::<u64>())
}

/// A number that is no greater.
#[cfg(feature = "attestation")]
pub(crate) fn number_up_to(most: u64) -> impl TypedValueParser<Value = u64> {
    number().try_map(move |number| match number <= most {
        true => Ok(number),
        false => Err(format!("at most {most}")),
    })
}

fn trimmed(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text).trim()
}

/// Of an option whose file is never standard output.
pub(crate) fn a_file() -> impl TypedValueParser<Value = PathBuf> {
    absolute().try_map(|path| {
        if path.as_os_str() == "-" {
            Err("it goes to a file, not to standard output: name one (./- if it is to be called so)")
        } else {
            Ok(path)
        }
    })
}

/// What is printed of it is true in any directory. `-` stays what it is.
pub(crate) fn absolute() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path == Path::new("-") {
        true => Ok(path),
        false => std::path::absolute(path),
    })
}

/// Of a directory that is made where there is none. A shell leaves `~` in
/// `--home=~/icn`, and in quotes.
pub(crate) fn a_home() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path.starts_with("~") {
        true => {
            Err("write $HOME in the place of ~, or ./~ for a directory of that name".to_owned())
        }
        false => std::path::absolute(path).map_err(|error| error.to_string()),
    })
}
