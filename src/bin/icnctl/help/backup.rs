//! What to try next with a backup, an older keystore, or an export.

use icn_identity::ProvenanceKind;
use icn_identity::error::{BackupError, ExportError, LegacyError};

use super::Help;

impl Help for BackupError {
    fn on_the_command_line(&self) -> Option<String> {
        let help = match self {
            Self::NoRecipient => "give one with --recipient age1…",
            Self::NotARecipient { .. } => {
                "make a key with `age-keygen -o FILE` on a machine that is kept offline, and give \
                 the public key that it prints: age1… (if it was a secret that you gave, others \
                 can have read it on the command line: use it no more)"
            }
            Self::SecretAsRecipient => {
                "it was on a command line, where others can read it, and must be taken as known to \
                 them: use it no more, make another key with `age-keygen`, and give its public key \
                 (age1…)"
            }
            Self::KeyFileLocked { .. } => {
                "give its passphrase with --identity-passphrase-file FILE or in \
                 $ICN_RECOVERY_PASSPHRASE"
            }
            Self::NotAge { .. } | Self::PassphraseFile => {
                "give the file that `icnctl id backup --recipient age1… -o FILE` wrote"
            }
            Self::OtherKey => {
                "`icnctl id backup` printed the recipients of each backup: give the file with the \
                 secret key of one of them"
            }
            Self::OtherDid { .. } => {
                "take the backup of that DID; if it is --did that is wrong, compare both with your \
                 own records first"
            }
            Self::NotNamed { .. } => {
                "compare it with your own records, or with what your peers know: then run the \
                 command again with --did DID"
            }
            Self::KeyNotThere { source, .. } if Self::storage_key_let_go(source) => {
                let help = source.on_the_command_line().unwrap_or_default();
                return Some(format!("{help}. Then run the command again"));
            }
            Self::KeyNotThere { source, .. } => {
                let may_be = Self::where_it_may_be(source);
                let may_be = may_be.map(|it| format!(" {it}")).unwrap_or_default();
                let copied = match Self::is_of_token(source) {
                    true => {
                        " If the key is on another token, or its token has another label now, add \
                         --relocate."
                    }
                    false => "",
                };
                return Some(format!(
                    "bring that very device back, and run the command again.{may_be}{copied} Else its \
                     key is gone with it, and no backup restores this DID: what is left is a \
                     rotation by a key that was committed to in advance, or a new identity \
                     (`icnctl id init`). What was encrypted to the old one can still be read: \
                     --encryption-key-only -o FILE"
                ));
            }
            _ => return self.help(),
        };
        Some(help.to_owned())
    }
}

impl Help for LegacyError {
    fn on_the_command_line(&self) -> Option<String> {
        let help = match self {
            Self::Binding => {
                "import an older backup; or, as the old TLS key and certificate are replaced in \
                 any case, leave them out: `icnctl id import --discard-tls FILE` (the key, its DID and \
                 the X25519 key are checked as before)"
            }
            Self::ToAKey => {
                "if it is a backup, restore it: icnctl id restore FILE --identity-file KEYFILE"
            }
            Self::NotPinned { .. } => {
                "name the home of that identity with --home, or remove the line `did` from the \
                 configuration if this one is meant to be replaced"
            }
            _ => return self.help(),
        };
        Some(help.to_owned())
    }
}

impl Help for ExportError {
    fn on_the_command_line(&self) -> Option<String> {
        let help = match self {
            Self::NoSecret { provenance: ProvenanceKind::TpmSealed } => {
                "such a key is sealed to its TPM and is given to nobody: make a new identity, or \
                 export the public part with --did-only"
            }
            Self::NoSecret { .. } => {
                "only a software key can be exported: sign where the key is, or export the public \
                 part with --did-only"
            }
            Self::Recipient(_) => {
                "give one that begins with age1, as `age-keygen -y` prints it; never the secret \
                 key, and if you gave that, make a new one: other users can see command lines"
            }
            _ => return self.help(),
        };
        Some(help.to_owned())
    }
}
