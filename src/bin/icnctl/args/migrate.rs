//! `icnctl id migrate`

use std::path::PathBuf;

use clap::ValueEnum;
use icn_identity::backend::BackendKind;
use icn_identity::migrate::MigrationMode;

use super::device::DeviceArgs;
use super::value::{Backend, a_file, absolute, encoded};

/// What only a move is told.
const OF_MOVE: [&str; 12] = [
    "to",
    "mode",
    "from_keystore",
    "commit_next",
    "again",
    "without_statement",
    "algorithm",
    "did_method",
    "module",
    "token",
    "key_label",
    "TpmArgs",
];

/// What makes or opens a backup.
const OF_NEW_BACKUP: [&str; 4] =
    ["recipients", "output", "identity_file", "identity_passphrase_file"];

const OF_BACKUP: [&str; 6] =
    ["recipients", "output", "identity_file", "identity_passphrase_file", "backup", "no_backup"];

/// The credential of the device that it goes to.
const OF_DEVICE: [&str; 2] = ["to_pin_file", "to_passphrase_file"];

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Run again, it goes on where it was cut off; without options, as they were written down. The old \
identity is in use until all else is done, and is kept whole in HOME/previous until --finish.

The credential of a file comes from --passphrase-file, that of the device from --pin-file. From one \
device to another, --pin-file is for the one that the key moves away from and --to-pin-file for the \
one that it goes to, at every step; of two keys on one token, --finish takes --pin-file for both. \
Both ends open the identity that stays, and want its credential too.")]
pub(crate) struct MigrateArgs {
    /// Where the identity goes
    #[arg(long, value_enum)]
    pub(crate) to: Option<To>,

    /// rotate: a key is born there, with a new DID that peers follow. import: the key is written
    /// into it, with the same DID; copies may exist
    #[arg(long, value_enum, requires = "to", default_value_t = Mode::Rotate)]
    #[arg(hide_default_value = true)]
    pub(crate) mode: Mode,

    /// Only print the steps and what will be lost: uses no credential, changes nothing
    #[arg(long, group = "what")]
    pub(crate) plan: bool,

    /// Say how far a migration is; uses no credential, changes nothing
    #[arg(long, group = "what", conflicts_with_all = [&OF_MOVE[..], &OF_BACKUP, &OF_DEVICE].concat())]
    pub(crate) status: bool,

    /// Undo it: the old identity is in use again, and the new key is removed from its token (with its
    /// PIN, which is asked for first); of one that is sealed to a TPM, the files are
    #[arg(long, group = "what", conflicts_with_all = [&OF_MOVE[..], &OF_BACKUP].concat())]
    pub(crate) roll_back: bool,

    /// End it: the new identity is opened once more, then the old one is removed, and there is no way
    /// back
    #[arg(long, group = "what", conflicts_with_all = [&OF_MOVE[..], &OF_NEW_BACKUP].concat())]
    pub(crate) finish: bool,

    /// migration.json is lost or cannot be read: write it again from the files
    #[arg(long, group = "what", conflicts_with_all = [&OF_MOVE[..], &OF_BACKUP, &OF_DEVICE].concat())]
    pub(crate) recover: bool,

    /// --roll-back: leave the new key on its token, where that is gone for good; it is named
    #[arg(long, requires = "roll_back", conflicts_with_all = ["plan", "status", "finish", "recover"])]
    pub(crate) keep_new_key: bool,

    /// --finish: leave an old key on its token, where it is destroyed otherwise (with its PIN)
    #[arg(long, requires = "finish", conflicts_with_all = ["plan", "status", "roll_back", "recover"])]
    pub(crate) keep_old_key: bool,

    /// Do not ask before the old identity is removed, or the new one given up that is in use
    #[arg(long)]
    pub(crate) yes: bool,

    /// Back the old identity up first, to this public key of a recovery key, age1…
    #[arg(long = "recipient", value_name = "RECIPIENT", requires = "output", group = "backs_up")]
    #[arg(value_parser = encoded())]
    pub(crate) recipients: Vec<String>,

    /// File that the backup is written to; never overwritten
    #[arg(short, long, value_name = "FILE", value_parser = a_file(), requires = "recipients")]
    pub(crate) output: Option<PathBuf>,

    /// There is a backup of this identity: it is opened with --identity-file. --finish: the backup
    /// that was made first is here now
    #[arg(long, value_name = "FILE", value_parser = absolute(), group = "backs_up")]
    pub(crate) backup: Option<PathBuf>,

    /// The recovery key that opens the backup: an age identity file
    #[arg(long, value_name = "KEYFILE", alias = "verify-with", requires = "backs_up")]
    pub(crate) identity_file: Option<PathBuf>,

    /// File whose content is the passphrase of KEYFILE, if it has one (mode 0600) [or
    /// $ICN_RECOVERY_PASSPHRASE, or a prompt]
    #[arg(long, value_name = "FILE", requires = "identity_file")]
    pub(crate) identity_passphrase_file: Option<PathBuf>,

    /// Make no backup. --finish: the one that was made first is gone, or cannot be looked at
    #[arg(long, group = "backs_up")]
    pub(crate) no_backup: bool,

    /// There is no identity yet: make it of this keystore of an older version first (v1, v2, v2.1,
    /// v3 or v4; it is only read), under the same passphrase
    #[arg(long, value_name = "FILE", value_parser = absolute(), requires = "to")]
    pub(crate) from_keystore: Option<PathBuf>,

    /// rotate: commit to the key that comes after the new one. It must exist already, be kept apart
    /// from it, and not get lost
    #[arg(long, value_name = "DID", value_parser = encoded())]
    pub(crate) commit_next: Option<String>,

    /// rotate: make another statement although this identity has handed over already. Whoever has
    /// seen the first one sees two that contradict each other (a fork), and refuses both
    #[arg(long)]
    pub(crate) again: bool,

    /// rotate: go on where the old key cannot sign any more (its device is gone): no peer can follow
    /// to the new DID then, and each has to be told of it
    #[arg(long)]
    pub(crate) without_statement: bool,

    /// File whose content is the PIN of the device that it goes to (mode 0600) [default: --pin-file,
    /// unless that is of the present device; or a prompt]
    #[arg(long, value_name = "FILE")]
    pub(crate) to_pin_file: Option<PathBuf>,

    /// File whose content is the passphrase beside that PIN, for a token that keeps no storage key
    /// (mode 0600) [or a prompt]
    #[arg(long, value_name = "FILE")]
    pub(crate) to_passphrase_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum To {
    Pkcs11,
    Tpm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    Rotate,
    Import,
}

impl From<To> for BackendKind {
    fn from(to: To) -> Self {
        Backend::from(to).into()
    }
}

impl From<Mode> for MigrationMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Rotate => Self::Rotate,
            Mode::Import => Self::Import,
        }
    }
}

impl From<To> for Backend {
    fn from(to: To) -> Self {
        match to {
            To::Pkcs11 => Self::Pkcs11,
            To::Tpm => Self::Tpm,
        }
    }
}
