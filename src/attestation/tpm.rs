//! What a TPM gives of a key: structures as it marshals them, the rules for them, and what its
//! maker's certificate says.

mod attest;
mod certificate;
mod check;
pub(super) mod credential;
mod model;
mod nv;
mod public;
mod quote;
mod rules;
pub(super) mod secret;
mod signature;
mod wire;

pub use certificate::{EkCertificate, EkKind};

pub(super) use attest::Attest;
pub(super) use check::{Checked, check_certificate, check_statement, examine_ek};
#[cfg(test)]
pub(super) use credential::credential_for_tests;
pub(super) use quote::read_quote;
#[cfg(any(test, fuzzing))]
pub(super) use {public::Public, signature::Signature};
