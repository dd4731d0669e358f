//! What a TPM gives of a key: structures as it marshals them, the rules for them, and who joins
//! its attestation key to its maker.

mod activation;
mod algorithm;
mod attest;
mod certificate;
mod check;
mod credential;
mod endorsement;
mod evidence;
mod model;
mod public;
mod rules;
mod secret;
mod signature;
mod wire;

pub use activation::{Activated, Activation, ActivationAnswer, ActivationRequest};
pub use algorithm::{TpmAlgorithm, TpmCurve};
pub use certificate::{EkCertificate, EkKind};
pub use endorsement::{Endorsement, MAX_ENDORSEMENT};
pub use evidence::TpmEvidence;
pub use model::TpmModel;

pub(super) use attest::Attest;
pub(super) use check::{Checked, check_certificate, check_statement};
#[cfg(test)]
pub(super) use credential::credential_for_tests;
pub(super) use evidence::Parts;
#[cfg(any(test, fuzzing))]
pub(super) use {public::Public, signature::Signature};
