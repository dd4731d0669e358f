//! Why a bundle was not made, or does not verify.

use std::time::SystemTime;

use crate::algorithm::{AlgorithmId, BadSignature};
use crate::clock;
use crate::did::{Did, InvalidDocument};
use crate::evidence::ProvenanceKind;
use crate::fault::{DeviceError, OpenError, SignError};
use crate::kind::{ErrorKind, explain};
use crate::peer::Refusal;
use crate::secret::NoRandomness;

/// Why a bundle was not made, or does not verify.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The signer's DID is not that of the key it shows.
    #[error("the signer's DID {did} is not that of the key it shows")]
    DidIsNotItsKey {
        /// What the signer calls itself.
        did: Did,
    },
    /// The signer did not prove that it has the key.
    #[error("the signer did not prove that it has its key")]
    Challenge(#[source] OpenError),
    /// The binding could not be signed.
    #[error("the binding could not be signed")]
    Sign(#[from] SignError),
    /// The binding's signature does not verify under the DID's key.
    #[error("the binding was not signed by the DID's key")]
    Signature(#[from] BadSignature),
    /// Two things that the binding holds together do not belong together.
    #[error("the binding does not belong to this {what}")]
    Mismatch {
        /// Which of them.
        what: &'static str,
    },
    /// The certificate is not one that peers would take.
    #[error("the TLS certificate is not valid")]
    Refused(#[source] Refusal),
    /// The certificate cannot be made.
    #[error("the TLS certificate cannot be made: {reason}")]
    Certificate {
        /// Why.
        reason: String,
    },
    /// Peers would refuse this TLS key of another program.
    #[error("the TLS key is not one that peers accept")]
    TlsKey(#[source] Refusal),
    /// The key that another program calls its TLS key is one of this identity's own.
    #[error("the TLS key is the {what} of this identity, and no program's own")]
    OwnKey {
        /// `DID key` or `TLS key`.
        what: &'static str,
    },
    /// What another program calls its instance is this identity's own.
    #[error("the instance is the one of this identity, and no program's own")]
    OwnInstance,
    /// The binding has ended.
    #[error("the binding ended {ago} seconds ago")]
    Expired {
        /// How long ago.
        ago: u64,
    },
    /// The binding has not begun.
    #[error("the binding begins in {wait} seconds")]
    NotYetValid {
        /// In how long.
        wait: u64,
    },
    /// A binding made by this clock would be of no use.
    #[error("the clock is not set: it says {now} seconds after 1970, which is before 2026")]
    ClockNotSet {
        /// What it says, Unix seconds.
        now: u64,
    },
    /// A later epoch of the DID is known here.
    #[error("epoch {asked} is earlier than the present one of this identity, {present}")]
    EarlierEpoch {
        /// The present one.
        present: u64,
        /// The one that was to be joined.
        asked: u64,
    },
    /// No epoch is as late as that.
    #[error("epoch {asked} is later than any can be ({limit})")]
    EpochTooLate {
        /// The one that was to be joined or begun.
        asked: u64,
        /// The latest that there can be.
        limit: u64,
    },
    /// The key is of another provenance than the static type demanded.
    #[error(
        "a bundle over a {demanded} key of {algorithm} was demanded, this one's is {found}, of \
         {found_algorithm}"
    )]
    Provenance {
        /// What was demanded.
        demanded: ProvenanceKind,
        /// Of which algorithm.
        algorithm: AlgorithmId,
        /// What it is.
        found: ProvenanceKind,
        /// Of which algorithm.
        found_algorithm: AlgorithmId,
    },
    /// The DID document does not verify, or is not that of this bundle.
    #[error("the DID document of this identity is not valid")]
    Document(#[from] InvalidDocument),
    /// The system's random generator failed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Whether the system's clock was set. By one that was not, nothing is signed that has a
/// time in it: no identity is made, imported or restored, no binding renewed, no backup
/// made. Each of these says so itself; this asks before a person is asked for anything.
///
/// # Errors
///
/// [`BundleError::ClockNotSet`].
pub fn check_clock() -> Result<(), BundleError> {
    check_clock_at(SystemTime::now())
}

pub(super) fn check_clock_at(at: SystemTime) -> Result<(), BundleError> {
    clock::check(at).map_err(|now| BundleError::ClockNotSet { now })
}

explain!(BundleError);

impl BundleError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::DidIsNotItsKey { .. } => ErrorKind::OtherIdentity,
            Self::Challenge(error) => error.kind(),
            Self::Sign(error) => error.kind(),
            Self::Signature(error) => error.kind(),
            Self::Mismatch { .. } => ErrorKind::Untrusted,
            Self::Refused(refusal) => refusal.kind(),
            Self::Certificate { .. } => ErrorKind::Internal,
            Self::TlsKey(_) | Self::OwnKey { .. } | Self::OwnInstance => ErrorKind::InvalidInput,
            Self::Expired { .. } => ErrorKind::Expired,
            Self::NotYetValid { .. } | Self::ClockNotSet { .. } => ErrorKind::Clock,
            Self::EarlierEpoch { .. } => ErrorKind::Superseded,
            Self::EpochTooLate { .. } => ErrorKind::InvalidInput,
            Self::Provenance { .. } => ErrorKind::Requirement,
            Self::Document(error) => error.kind(),
            Self::NoRandomness(error) => error.kind(),
        }
    }

    /// What a device said, if that is the reason.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceError> {
        match self {
            Self::Challenge(error) => error.device(),
            Self::Sign(error) => error.device(),
            _ => None,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::TlsKey(_) | Self::OwnKey { .. } => {
                "make an Ed25519 key for TLS alone, and give its SubjectPublicKeyInfo (DER, 44 bytes)"
            }
            Self::OwnInstance => "give 16 random bytes, which the program keeps for its next key",
            Self::Expired { .. } => "open the identity with its credential: that renews it",
            Self::NotYetValid { .. } => {
                "check the clock; if it is right, it was not when the identity was renewed: \
                 renew it now (`IdentityStore::renew`)"
            }
            Self::ClockNotSet { .. } => "set the clock, then try again",
            Self::EarlierEpoch { .. } => {
                "join the latest epoch of the DID (`binding().epoch()` where it was begun), or begin \
                 a later one (`renew_all_instances`)"
            }
            Self::EpochTooLate { .. } => {
                "give the epoch exactly as `binding().epoch()` has it where it was begun"
            }
            Self::Mismatch { .. } | Self::Signature(_) | Self::Refused(_) | Self::Document(_) => {
                "restore the identity from a backup"
            }
            Self::Challenge(error) => return error.help(),
            Self::Sign(error) => return error.help(),
            Self::NoRandomness(error) => return error.help(),
            Self::DidIsNotItsKey { .. } => {
                "correct the signer: its `did()` has to be that of its `verifying_key()`"
            }
            Self::Certificate { .. } => "this should not be: report it",
            Self::Provenance { .. } => {
                "demand the provenance that the key has, or take a bundle over any key \
                 (`IdentityBundle<DidKey>`)"
            }
        };
        Some(help.to_owned())
    }
}
