//! A peer's key is proved to be in a device, by the device's maker and offline.
//!
//! What [`evidence`](crate::evidence) says of a key is read by the owner's own copy of this
//! crate: to a relying party elsewhere it is the owner's word. An **attestation** is a file that
//! carries what the device's maker certified of the key, and the DID's signature over a
//! challenge. Where all of it was checked there is an [`Attested`], and nowhere else:
//!
//! ```
//! use icn_identity::attestation::Attested;
//! use icn_identity::peer::VerifiedDid;
//! use icn_identity::Hardware;
//!
//! fn treasury(from: &VerifiedDid, proof: &Attested<Hardware>) -> bool {
//!     proof == from
//! }
//! ```
//!
//! The relying party sends a [`Challenge`], the node answers with an [`Attestation`], and the
//! relying party's [`Verifier`] gives a [`Verdict`], whose [`into_hardware`](Verdict::into_hardware)
//! gives the `Attested<Hardware>`, or `None` if the key was imported:
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use icn_identity::attestation::{Anchors, Attestation, Attested, Challenge, Fresh, Verifier};
//!
//! /// Whoever calls it forgets the challenge once an answer was accepted.
//! fn verify(file: &[u8], kept: &Challenge) -> Result<Option<Attested>, icn_identity::Error> {
//!     let attestation = Attestation::parse(file)?;
//!     let verifier = Verifier::new(Anchors::yubico());
//!     let verdict = verifier.verify(&attestation, Fresh::To(kept), SystemTime::now())?;
//!     println!("{} is attested: {}", verdict.did(), verdict.device());
//!     println!("by {}", verdict.root_certificate());
//!     Ok(verdict.into_hardware())
//! }
//! ```
//!
//! # Admitting peers
//!
//! An [`Attested`] tells of one moment. [`AttestedPeers`] holds one for each DID, for as long as the
//! relying party decides; `DidVerifier::attested` (feature `tls`) admits these peers alone at each handshake.
//! What acts for a peer takes the proof out again, before each command:
//!
//! ```
//! use icn_identity::attestation::{Attested, AttestedPeers};
//! use icn_identity::peer::VerifiedDid;
//!
//! fn order(from: &VerifiedDid, peers: &AttestedPeers) -> Result<Attested, &'static str> {
//!     peers.proof_of(from).ok_or("no proof that is still believed")
//! }
//! ```
//!
//! # Of a TPM
//!
//! A TPM's certificate is that of a key that never signs. That the key which signed is in the same TPM is
//! shown by a question that only this TPM can answer: [`Verifier::begin`] makes it, the peer's TPM answers it,
//! [`Verifier::finish`] compares. Or by the word of a DID that has done so ([`Activated::endorse`]) and is believed
//! ([`Verifier::endorsed_by`]): then [`Verifier::verify`] is enough. No maker of TPMs is built in: their roots are
//! read by `Anchors::load` (feature `keystore`) or [added](Anchors::add). [`Verifier::pcr_policy`] demands a state of
//! the machine too.
//!
//! ```
//! use std::time::SystemTime;
//! use icn_identity::attestation::{
//!     ActivationAnswer, Attestation, Attested, Challenge, Fresh, Verifier,
//! };
//!
//! /// `ask` sends the question to the peer and gives its answer.
//! fn activated(
//!     verifier: &Verifier,
//!     file: &[u8],
//!     kept: &Challenge,
//!     ask: impl FnOnce(&str) -> Vec<u8>,
//! ) -> Result<Option<Attested>, icn_identity::Error> {
//!     let (attestation, fresh) = (Attestation::parse(file)?, Fresh::To(kept));
//!     let (secret, question) = verifier.begin(&attestation, fresh, SystemTime::now())?;
//!     let answer = ActivationAnswer::parse(&ask(&question.to_json()))?;
//!     let activated =
//!         verifier.finish(secret, &answer, &attestation, fresh, SystemTime::now())?;
//!     Ok(activated.into_verdict().into_hardware())
//! }
//! ```
//!
//! # What it proves
//!
//! At that time the DID's key was in a device that this maker certified, was made there and
//! cannot leave it (`Hardware`), or is held there after an import (`DeviceHeld`), and whoever
//! answered could use it. **Not** proved: which machine or person has the device, that its host
//! is clean, that its firmware has no fault, that the maker keeps its own keys well. That a TPM is a
//! chip is its maker's word: a certificate that names a known maker of virtual TPMs is refused, and
//! nothing but the certificate is seen here. No list of revoked certificates is asked: nothing here
//! uses the network.
//!
//! # What is signed
//!
//! `icn-identity/attestation/v1` and a zero byte; the DID and the audience, each preceded by its
//! length in bytes as a big-endian `u64`; the 32 bytes of the nonce; the time in Unix seconds as
//! a big-endian `u64`. These bytes are the **core**. The DID's key signs the core followed by the
//! SHA-256 of the evidence: its type (preceded by its length, as above), the number of its
//! certificates (big-endian `u64`), and each certificate (preceded by its length). Of a TPM, the
//! fields `pubArea`, `certInfo`, `sig` and `ak` come before the number (each preceded by its length),
//! then a byte 1 and the field `ek` (preceded by its length), or a byte 0; and after the certificates a
//! byte 1, the bytes that the endorser signed (preceded by their length) and the 64 of the signature,
//! or a byte 0; at last a byte 1 and the fields `quoted` and `sig` of `quote` (each preceded by its
//! length), or a byte 0. The TPM's own statement has the SHA-256 of the core as qualifying data, that of its PCRs too. So possession
//! and freshness are shown also where a device takes no nonce, as Yubico's do not.

use std::time::Duration;

mod activation;
mod anchors;
mod attested_key;
mod attested_peers;
mod bytes;
mod certificate;
mod chain;
mod challenge;
mod create;
mod device;
mod endorsement;
mod error;
mod evidence;
mod file;
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(crate) mod formats;
mod found;
mod pcr_state;
mod refusal;
mod root_certificate;
mod signing;
mod tpm;
mod tpm_algorithm;
mod tpm_model;
mod verdict;
mod verifier;
mod yubico;

#[cfg(test)]
pub(crate) mod tests;

pub use activation::{Activated, Activation, ActivationAnswer, ActivationRequest};
pub use anchors::Anchors;
pub use attested_key::AttestedKey;
pub use attested_peers::AttestedPeers;
pub use challenge::{Challenge, Fresh};
pub use device::{Device, DeviceClass, Firmware};
pub use endorsement::{Endorsement, MAX_ENDORSEMENT};
pub use error::AttestationError;
pub use evidence::{DeviceCertificates, EvidenceKind, TpmEvidence};
pub use file::Attestation;
pub use pcr_state::PcrState;
pub use refusal::{AttestationRefusal, ExtensionProblem, TpmAttribute, TpmField, TpmRefusal};
pub use root_certificate::RootCertificate;
pub use tpm::{EkCertificate, EkKind};
pub use tpm_algorithm::{TpmAlgorithm, TpmCurve};
pub use tpm_model::TpmModel;
pub use verdict::{Attestable, Attested, CertifiedKey, Root, Verdict};
pub use verifier::Verifier;

/// Nothing is fresh for longer: no challenge can be answered later than this after it was made, and
/// no attestation without one is older. 30 days.
pub const MAX_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// No file of an attestation is longer: 64 KiB.
pub const MAX_FILE_LEN: usize = 64 * 1024;

/// No way from a key to a maker's root has more certificates, the root's included.
pub const MAX_CERTIFICATES: usize = 6;
