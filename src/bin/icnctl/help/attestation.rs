//! What to try next where an attestation is refused or not made.

use icn_identity::attestation::{AttestationError, AttestationRefusal, DeviceClass, TpmRefusal};

use super::Help;

impl Help for AttestationRefusal {
    fn on_the_command_line(&self) -> Option<String> {
        let help = match self {
            Self::NoIssuer { class, .. } => {
                return Some(format!(
                    "get the certificate of that issuer from the device's maker; if it is genuine, put it \
                     into a folder as {class}/NAME.pem, and name that folder with --anchors"
                ));
            }
            Self::OtherClass { expected: DeviceClass::Tpm, found: DeviceClass::TpmAk, .. } => {
                "if you trust it as a TPM maker's root, put it into tpm/ too; else accept this from nobody"
            }
            Self::ChallengeExpired { .. } => {
                "make a new challenge, with more time for the answer if it took too long: icnctl attestation \
                 challenge --audience NAME --valid-for 1d -o NEW. Of a TPM, have attestation and activation \
                 made anew too"
            }
            Self::Tpm(TpmRefusal::NotJoined) => {
                "have the TPM activated: icnctl attestation activate ATTESTATION --challenge FILE --did DID \
                 --anchors DIR --secret NEW -o NEW; or verify with --endorsed-by DID what shows the \
                 endorsement of a DID that has done so"
            }
            Self::Tpm(TpmRefusal::NoQuote { .. } | TpmRefusal::PcrSelection { .. }) => {
                "have the owner make a new attestation that quotes the PCRs of your policy, and no others, like: \
                 icnctl attestation create --challenge FILE --quote 0,7 -o NEW"
            }
            Self::Expired { place: 0, .. } => {
                "have the device write a new certificate, or accept the ended one with --allow-expired"
            }
            Self::Firmware { .. } => {
                "if the known faults of that firmware are acceptable, say so with --firmware \
                 CLASS=VERSION; else have the owner rotate to a key in another device"
            }
            _ => return self.help(),
        };
        Some(help.to_owned())
    }
}

impl Help for AttestationError {
    fn on_the_command_line(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => refusal.on_the_command_line(),
            Self::Sign(error) => error.on_the_command_line(),
            Self::Folder(error) => error.on_the_command_line(),
            Self::NoCertificate => Some(
                "have the device's own tool write the certificate of the key, and name it with --certificate"
                    .to_owned(),
            ),
            _ => self.help(),
        }
    }
}
