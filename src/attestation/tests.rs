//! The whole way with a maker of the test's own, and each rule by the refusal that it has.

mod attested_key;
mod attested_peers;
mod chain;
mod file;
#[cfg(feature = "keystore")]
mod folder;
mod fresh;
mod made;
mod pcrs;
#[cfg(attestation_data)]
mod real;
pub(crate) mod soft_tpm;
mod swtpm;
mod tpm;
mod whole;
mod yubico;
