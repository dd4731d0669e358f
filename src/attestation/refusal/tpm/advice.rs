//! What a refusal means for the program, and what to try next.

use super::TpmRefusal;
use crate::kind::{ErrorKind, explain};

explain!(TpmRefusal);

impl TpmRefusal {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::SealedData { .. }
            | Self::Virtual { .. }
            | Self::NoQuote { .. }
            | Self::PcrSelection { .. }
            | Self::PcrDigest { .. } => ErrorKind::Requirement,
            Self::KeyType { .. }
            | Self::Curve { .. }
            | Self::NameAlgorithm { .. }
            | Self::Algorithm { .. }
            | Self::UnknownAttributes { .. }
            | Self::RsaCertificate
            | Self::CertificateKey
            | Self::PcrBank { .. }
            | Self::NothingToActivate => ErrorKind::Unsupported,
            Self::QualifyingData { .. } | Self::OtherActivation => ErrorKind::OtherIdentity,
            Self::EndorsementExpired { .. } => ErrorKind::Expired,
            Self::EndorsementNotYetValid { .. } => ErrorKind::Clock,
            _ => ErrorKind::Untrusted,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::SealedData { .. } => {
                "have the owner make a P-256 key in the TPM, and rotate the identity to it: a TPM \
                 vouches that sealed data exists, not for what is in it"
            }
            Self::KeyType { .. } | Self::Curve { .. } | Self::CertificateKey => {
                "use a TPM with an endorsement certificate for P-256, and P-256 keys in it"
            }
            Self::RsaCertificate => {
                "use a TPM with an endorsement certificate for P-256 (NV index 0x01c0000a): RSA \
                 ones cannot be activated here"
            }
            Self::Sha1 { .. } | Self::NameAlgorithm { .. } | Self::Algorithm { .. } => {
                "have the attestation made by this program: it has the TPM use ECDSA and SHA-256"
            }
            Self::AttributeClear { .. }
            | Self::AttributeSet { .. }
            | Self::Hierarchy
            | Self::Magic { .. }
            | Self::Statement { .. }
            | Self::Signature { .. }
            | Self::OtherObject => {
                "accept this from nobody: a TPM that is used by this program gives no such evidence"
            }
            Self::NoQuote { .. } | Self::PcrSelection { .. } => {
                "ask the owner for a new attestation that quotes these very PCRs"
            }
            Self::PcrDigest { .. } => {
                "find out what has changed on the owner's machine; if the change is meant, read the new \
                 values there and take them into the policy"
            }
            Self::NoPcr | Self::PcrBanks { .. } | Self::PcrBank { .. } => {
                "have the owner quote PCRs of the SHA-256 bank, and of no other"
            }
            Self::TwoBoots => "ask the owner for a new attestation, made without a boot in between",
            Self::UnknownAttributes { .. } => "update this program, then verify once more",
            Self::QualifyingData { .. } => "make a new challenge, and ask for an answer to that",
            Self::Purpose { .. } | Self::Usage { .. } | Self::NoModel | Self::OtherEk => {
                "ask the owner for the certificate of the TPM's own endorsement key"
            }
            Self::OtherAk => "ask the owner for the certificate of the TPM's own attestation key",
            Self::Virtual { .. } => "have the owner use a TPM that is hardware",
            Self::NotJoined => {
                "send the owner an activation, and verify with the answer to it; or name a DID that \
                 did so and have the owner show its endorsement"
            }
            Self::Endorser { .. } => {
                "name that DID as one whose endorsements are believed, if you know it"
            }
            Self::OwnEndorsement { .. } => {
                "send the owner an activation, or have another DID activate and endorse it"
            }
            Self::EndorsementSignature { .. } => "ask the endorser for its endorsement once more",
            Self::OtherEkCertificate => {
                "have the TPM activated and endorsed again, with the certificate that it has now"
            }
            Self::OtherEndorsement => {
                "have the TPM endorsed again: its attestation key is another one once its \
                 endorsement seed is changed"
            }
            Self::EndorsementExpired { .. } | Self::EndorsementTooLong { .. } => {
                "have the TPM activated and endorsed anew"
            }
            Self::EndorsementNotYetValid { .. } => "compare the clocks of both sides",
            Self::NothingToActivate => "verify it as it is",
            Self::UnusedEndorsement => {
                "have the attestation made again, without the endorsement or with the endorsement key"
            }
            Self::OtherActivation => "give the secret that was made for this very attestation",
            Self::Answer => {
                "make a new activation, and have the owner answer it on the machine that made the \
                 attestation"
            }
            Self::Malformed { .. } | Self::Point { .. } | Self::Template { .. } => {
                "ask the owner for a new attestation"
            }
        };
        Some(help.to_owned())
    }
}
