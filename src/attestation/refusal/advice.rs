//! What a refusal means for the program, and what to try next.

use super::{AttestationRefusal, DeviceClass};
use crate::kind::{ErrorKind, explain};

explain!(AttestationRefusal);

impl AttestationRefusal {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Tpm(refusal) => refusal.kind(),
            Self::Expired { .. } | Self::ChallengeExpired { .. } | Self::TooOld { .. } => {
                ErrorKind::Expired
            }
            Self::NotYetValid { .. } | Self::FromTheFuture { .. } | Self::Unset { .. } => {
                ErrorKind::Clock
            }
            Self::Firmware { .. }
            | Self::Exportable
            | Self::OwnDevice { .. }
            | Self::Provenance { .. } => ErrorKind::Requirement,
            Self::OtherKey { .. } | Self::Audience { .. } | Self::Nonce => ErrorKind::OtherIdentity,
            Self::P521 { .. }
            | Self::UnnamedCurve { .. }
            | Self::Algorithm { .. }
            | Self::Capabilities { .. } => ErrorKind::Unsupported,
            _ => ErrorKind::Untrusted,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Tpm(refusal) => return refusal.help(),
            Self::Expired { place: 0, .. } => {
                "have the device write a new certificate, or allow that the key's own has ended"
            }
            Self::Expired { .. } => "take the maker's present certificates as anchors",
            Self::NotYetValid { .. } | Self::FromTheFuture { .. } => {
                "compare the clocks of both sides"
            }
            Self::Unset { .. } => "have its owner set the clock there, and answer once more",
            Self::NoIssuer { .. } => {
                "get the certificate of that issuer from the device's maker; if it is genuine, add \
                 it to the anchors"
            }
            Self::OtherClass { expected: DeviceClass::Tpm, found: DeviceClass::TpmAk, .. } => {
                "if you believe it as a root of a maker of TPMs, add it to the anchors of that class too; \
                 else accept this from nobody"
            }
            Self::OtherClass { .. } => {
                "accept this from nobody: the maker issues no such certificate"
            }
            Self::Firmware { .. } => {
                "demand an older firmware if its known faults are acceptable; or have the key made \
                 anew in another device"
            }
            Self::Exportable => {
                "have the key made anew without the capability exportable-under-wrap, and the \
                 identity rotated to it"
            }
            Self::Audience { .. } => "ask for one that was made for this audience",
            Self::Nonce | Self::ChallengeExpired { .. } | Self::TooOld { .. } => {
                "make a new challenge, and ask for an answer to that"
            }
            Self::Possession { .. } => {
                "ask whoever has the key to answer the challenge; these certificates alone show \
                 nothing"
            }
            Self::OtherKey { .. } => {
                "give the certificate that the device wrote for the identity's own key"
            }
            Self::OwnHistory { .. } => {
                "find out which of both is right; until then use the key without its maker's word"
            }
            Self::OwnDevice { .. } => {
                "open the key by the device that its maker made, and not by a program in its place"
            }
            Self::Key(_) | Self::Provenance { .. } => {
                "use a P-256 or Ed25519 key of the device, and rotate to it"
            }
            Self::NoAuthority { .. } => {
                "accept this from nobody: some early devices have such a certificate, and so has \
                 whoever forges one with a device of their own"
            }
            Self::Sha1 { .. }
            | Self::ShortRsa { .. }
            | Self::P521 { .. }
            | Self::UnnamedCurve { .. }
            | Self::Algorithm { .. } => {
                "use a device whose maker certifies it by RSA of 2048 bits or more, P-256 or \
                 P-384, with SHA-2"
            }
            Self::Capabilities { .. } => {
                "update this program; if it is the latest, have the key made anew with the \
                 capability to sign alone"
            }
            Self::NotAnAttestation | Self::TwoClasses => {
                "give the attestation certificate of the key, which its device writes, and not \
                 another certificate"
            }
            Self::NotUsed { .. } | Self::TooManyCertificates { .. } => {
                "give the key's certificate and its issuers', in order, and no others"
            }
            _ => "ask whoever has the device for its certificates once more",
        };
        Some(help.to_owned())
    }
}
