//! The arguments of `icnctl id backup` and `icnctl id restore`.

use std::path::PathBuf;

use super::value::{a_file, absolute, encoded};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The recovery key is made once, on a machine that is kept offline:

  age-keygen -o recovery.key

Its public key (age1…) goes to the nodes, recovery.key stays where it is. The key of a token or TPM \
is never inside a backup: the command says what is, and what is not. Try each backup with \
`icnctl id restore FILE --identity-file recovery.key --check`.")]
pub(crate) struct BackupArgs {
    /// Public key of a recovery key, age1…; any one of several opens the backup
    #[arg(long = "recipient", value_name = "RECIPIENT", required = true)]
    #[arg(value_parser = encoded())]
    pub(crate) recipients: Vec<String>,

    /// File to write; never overwritten
    #[arg(short, long, value_name = "FILE", value_parser = absolute())]
    pub(crate) output: PathBuf,

    /// Decrypt and verify it with this age identity file before it is written
    #[arg(long, value_name = "KEYFILE")]
    pub(crate) verify_with: Option<PathBuf>,

    /// File whose content is the passphrase of KEYFILE, if it has one (mode 0600) [or
    /// $ICN_RECOVERY_PASSPHRASE, or a prompt]
    #[arg(long, value_name = "FILE", requires = "verify_with")]
    pub(crate) identity_passphrase_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A software identity is all in its backup: a new passphrase is asked for. The key of a token or TPM \
is not: that very device must be there, and its PIN is needed.

Anybody can encrypt a file to your recovery key. So nothing is restored but under a DID that you \
name with --did (or that icn.toml pins), and that has signed the backup. Never run two nodes with \
one identity.

Where the PCRs of a TPM with an approver have changed since the backup, \
`icnctl --format json id restore FILE --identity-file KEYFILE --check` prints the request for \
`icnctl tpm approve`, and --approval takes what that prints.")]
pub(crate) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The recovery key: an age identity file, as `age-keygen` writes it
    #[arg(long, value_name = "KEYFILE")]
    pub(crate) identity_file: PathBuf,

    /// File whose content is the passphrase of KEYFILE, if it has one (mode 0600) [or
    /// $ICN_RECOVERY_PASSPHRASE, or a prompt]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity_passphrase_file: Option<PathBuf>,

    /// Whose identity it must be, from your own records [default: `did` in icn.toml]
    #[arg(long, value_parser = encoded())]
    pub(crate) did: Option<String>,

    /// What `icnctl tpm approve` printed, for a backup that was made before it: where the PCRs are not
    /// as the backup wants them
    #[arg(long, value_name = "FILE", conflicts_with = "encryption_key_only")]
    pub(crate) approval: Option<PathBuf>,

    /// Only decrypt and verify, and say what would be restored; write nothing, use no PIN. A TPM
    /// that is here is asked whether it opens the backup now (exit code 1: not any more)
    #[arg(long)]
    pub(crate) check: bool,

    /// Look for the key on every token, or on that which --key names: the device's own means have
    /// copied it to another one
    #[arg(long, conflicts_with_all = ["check", "encryption_key_only"])]
    pub(crate) relocate: bool,

    /// Only write the X25519 key of the identity, as an age identity file: it opens what was
    /// encrypted to an identity whose device is gone, and signs nothing
    #[arg(long, requires = "output", conflicts_with_all = ["check", "module"])]
    pub(crate) encryption_key_only: bool,

    /// File to write the X25519 key to; never overwritten
    #[arg(
        short,
        long,
        value_name = "FILE",
        value_parser = a_file(),
        requires = "encryption_key_only",
        conflicts_with_all = ["check", "module", "relocate"]
    )]
    pub(crate) output: Option<PathBuf>,

    /// PKCS#11 module (absolute path): never taken from a backup [default: that of icn.toml]
    #[arg(long, value_name = "PATH")]
    pub(crate) module: Option<PathBuf>,
}
