//! What to try next, in commands and options.
//!
//! The library's own help names its configuration and its API, as it knows of no
//! command line. Where a command or an option does it, that is said here instead.

#[cfg(feature = "attestation")]
mod attestation;
mod backup;
mod device;
mod keystore;
mod migration;
#[cfg(test)]
mod tests;

use icn_identity::Error;
use icn_identity::backend::uri::InvalidPkcs11Uri;
use icn_identity::bundle::{BundleError, DecryptError};
use icn_identity::config::ConfigError;
use icn_identity::did::InvalidDocument;
use icn_identity::error::{BookError, SignError};
use icn_identity::rotation::RotationError;

/// An error of the library.
pub(crate) trait Help {
    /// What to try next, on the command line.
    fn on_the_command_line(&self) -> Option<String>;
}

impl Help for Error {
    fn on_the_command_line(&self) -> Option<String> {
        match self {
            Self::Open(error) => error.on_the_command_line(),
            Self::Sign(error) => error.on_the_command_line(),
            Self::Device(error) => error.on_the_command_line(),
            Self::Keystore(error) => error.on_the_command_line(),
            Self::Backup(error) => error.on_the_command_line(),
            Self::Legacy(error) => error.on_the_command_line(),
            Self::Export(error) => error.on_the_command_line(),
            Self::Bundle(error) => error.on_the_command_line(),
            Self::Decrypt(error) => error.on_the_command_line(),
            Self::Document(error) => error.on_the_command_line(),
            Self::Rotation(error) => error.on_the_command_line(),
            Self::Book(error) => error.on_the_command_line(),
            Self::Config(error) => error.on_the_command_line(),
            #[cfg(feature = "attestation")]
            Self::Attestation(error) => error.on_the_command_line(),
            #[cfg(feature = "attestation")]
            Self::AttestationRefused(error) => error.on_the_command_line(),
            Self::Uri(error) => error.on_the_command_line(),
            Self::Did(_) => Some(
                "give a DID like did:icn:z… or did:key:z6Mk…, exactly as `icnctl id show` prints it"
                    .into(),
            ),
            _ => self.help(),
        }
    }
}

impl Help for BundleError {
    fn on_the_command_line(&self) -> Option<String> {
        let help = match self {
            Self::NotYetValid { .. } => {
                "check the clock; if it is right, it was not when the identity was renewed: run \
                 `icnctl id renew`"
            }
            Self::Mismatch { .. } | Self::Signature(_) | Self::Refused(_) | Self::Document(_) => {
                "restore the identity from a backup: icnctl id restore FILE --identity-file KEYFILE"
            }
            Self::EarlierEpoch { .. } => {
                "join the epoch that `icnctl id renew --all-instances` printed last; to begin a \
                 later one, run that here"
            }
            Self::EpochTooLate { .. } => {
                "give the epoch exactly as `icnctl id renew --all-instances` printed it"
            }
            Self::Challenge(error) => return error.on_the_command_line(),
            Self::Sign(error) => return error.on_the_command_line(),
            _ => return self.help(),
        };
        Some(help.to_owned())
    }
}

impl Help for DecryptError {
    fn on_the_command_line(&self) -> Option<String> {
        let help = match self {
            Self::NotAge => {
                "give a file that `age` has encrypted to the recipient that `icnctl id show` prints"
            }
            Self::NotForThisIdentity => {
                "ask the sender to encrypt to the recipient that `icnctl id show` prints; if it was \
                 encrypted to an identity that handed over to this one, decrypt it with that one, or \
                 carry its key: icnctl --home OLD id rotation create --successor NEW \
                 --carry-decryption-key"
            }
            Self::NotSaved(error) => return error.on_the_command_line(),
            _ => return self.help(),
        };
        Some(help.to_owned())
    }
}

impl Help for InvalidDocument {
    fn on_the_command_line(&self) -> Option<String> {
        let help = match self {
            Self::TooLong | Self::Json(_) => {
                "give it as `icnctl --format did-document id show` prints it"
            }
            Self::Mismatch { .. } => {
                "restore the identity from a backup (icnctl id restore FILE --identity-file KEYFILE); \
                 do not give this document to others"
            }
            _ => return self.help(),
        };
        Some(help.to_owned())
    }
}

impl Help for RotationError {
    fn on_the_command_line(&self) -> Option<String> {
        let help = match self {
            Self::Format(_) | Self::TooLong { .. } => {
                "give the file that `icnctl id rotation show -o FILE` writes"
            }
            Self::HandedOver { given_up: true, .. } => {
                "whoever has followed to that one has to be told to pin this DID again: a second \
                 statement of its key would be a fork for them. Only if that statement was never \
                 given to anybody, or all of them are told so: --again"
            }
            Self::HandedOver { .. } => {
                "a second statement of its key would be a fork, and peers refuse both: rotate the \
                 successor instead. Only if that statement was never given to anybody: --again"
            }
            Self::StatedBefore { reason, next_key, .. } => {
                let commitment = match next_key {
                    Some(_) => "--commit-next with the DID of the key that it names",
                    None => "no --commit-next",
                };
                return Some(format!(
                    "a statement that was signed cannot be changed: run the command with --reason \
                     {reason} and {commitment}, or with neither of the two, which takes what was \
                     stated; or rotate the successor"
                ));
            }
            Self::AlreadyStored { .. } => {
                "`icnctl id rotation show` prints its chain; a new key has one predecessor"
            }
            Self::Sign { source: SignError::Device(error), .. } => {
                return error.on_the_command_line();
            }
            _ => return self.help(),
        };
        Some(help.to_owned())
    }
}

impl Help for BookError {
    fn on_the_command_line(&self) -> Option<String> {
        match self {
            Self::Files(error) => error.on_the_command_line(),
            Self::Rotation(error) => error.on_the_command_line(),
            Self::Full { .. } => Some(
                "have peers that never come back forgotten: icnctl peer remove --forget DID".into(),
            ),
            _ => self.help(),
        }
    }
}

impl Help for ConfigError {
    fn on_the_command_line(&self) -> Option<String> {
        match self {
            Self::File(error) => error.on_the_command_line(),
            Self::Parse { .. } => Some(
                "correct the line: `icnctl config template` prints every field with what it takes and \
                 its default. PINs and passphrases never go into this file"
                    .into(),
            ),
            _ => self.help(),
        }
    }
}

impl Help for InvalidPkcs11Uri {
    fn on_the_command_line(&self) -> Option<String> {
        match self {
            Self::PinValue => Some(
                "take it out (and change the PIN if others have seen it); name a file by \
                 `pin-source`, or use --pin-file"
                    .into(),
            ),
            // About the syntax.
            Self::Misplaced { .. } | Self::NotTaken { .. } | Self::PinSource | Self::Type => {
                self.help()
            }
            _ => Some("`icnctl backend doctor` and `icnctl id show` print URIs of keys".into()),
        }
    }
}
