//! What to try next where an attestation is refused or not made.

use icn_identity::attestation::{AttestationError, AttestationRefusal};

use super::Help;

impl Help for AttestationRefusal {
    fn on_the_command_line(&self) -> Option<String> {
        let help = match self {
            Self::NoIssuer { .. } => {
                "get the certificate of that issuer from the device's maker; if it is genuine, put it \
                 into a folder as yubihsm/NAME.pem, yubikey-piv/NAME.pem, tpm/NAME.pem or tpm-ak/NAME.pem, by \
                 the class of the device, and name that folder with --anchors"
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
