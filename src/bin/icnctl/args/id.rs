//! `icnctl id`

use std::path::PathBuf;

use clap::Subcommand;

use super::backup::{BackupArgs, RestoreArgs};
use super::init::InitArgs;
use super::migrate::MigrateArgs;
use super::rotation::RotationCommand;
use super::tpm::ResealArgs;
use super::value::{PublicKeyFormat, a_file, absolute, encoded, number};

#[derive(Debug, Subcommand)]
pub(crate) enum IdCommand {
    /// Make a new identity, or one around the key that --key names; never overwrites one
    Init(InitArgs),
    /// Show the identity; needs no PIN or passphrase. `--format did-document` prints what peers
    /// need to know of it, signed
    Show(ShowArgs),
    /// Verify a peer's DID document and print its DID and age recipient; needs no network.
    /// Exit 0 if valid, 1 if not, 2 if it could not be told
    VerifyDocument(VerifyDocumentArgs),
    /// Make an identity from a keystore of an older version, with the same DID; FILE is left as it is
    Import(ImportArgs),
    /// The DID for others, or a software identity's private key for other programs
    Export(ExportArgs),
    /// Hand over to another key, and look at the chain of such statements
    Rotation {
        #[command(subcommand)]
        command: RotationCommand,
    },
    /// Decryption keys of older identities that this one has taken over (`id rotation create
    /// --carry-decryption-key`): list them, or remove one
    DecryptionKey {
        #[command(subcommand)]
        command: DecryptionKeyCommand,
    },
    /// Find the identity's key again, on a token that was restored, cloned or renamed
    Relocate(RelocateArgs),
    /// Write the public key back to the token that has only the private key left, or to another that
    /// --key names; the private key has to sign for it first
    WritePublicKey,
    /// Move the identity into a token or TPM, or from one to another, step by step; look at how far
    /// that is, undo it, or end it
    Migrate(Box<MigrateArgs>),
    /// A step of `id migrate`, in a process of its own: the credential comes on standard input
    #[command(hide = true)]
    ProveStaged,
    /// Replace the TLS key and certificate now, though they are not due: after a suspected theft of
    /// the TLS key, or where peers say that a later number or epoch was seen
    Renew(RenewArgs),
    /// Put the identity under another passphrase, and under the scrypt work that is configured
    ChangePassphrase(ChangePassphraseArgs),
    /// Seal the same keys to the TPM anew: other PCR values, another policy or PIN
    Reseal(ResealArgs),
    /// Encrypt all that can be had of the identity to a recovery key that is kept elsewhere
    Backup(BackupArgs),
    /// Put an identity back from its backup, or only try it (--check); never overwrites one
    Restore(RestoreArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// For monitoring: exit 1 if there is a problem, and name each. The certificate has expired or
    /// is not valid yet, the device is not there, does not have the key or is locked, one wrong PIN
    /// more locks it, or a token was given a wrong one
    #[arg(long)]
    pub(crate) check: bool,

    /// A problem, too: the certificate ends within so many hours. A service that renews it has 56
    /// left when it does (of 7 days)
    #[arg(long, value_name = "HOURS", requires = "check", default_value_t = 0)]
    #[arg(hide_default_value = true)]
    pub(crate) valid_for: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DecryptionKeyCommand {
    /// Show which decryption keys the identity has (wants its PIN or passphrase)
    List,
    /// Remove the key of an older DID: what was encrypted to it does not open with this identity
    /// any more (wants the PIN or passphrase)
    Remove {
        /// The older DID
        did: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyDocumentArgs {
    /// What `icnctl --format did-document id show` printed; `-` or nothing for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Whose it must be; without it, compare the DID that is printed with the one you know
    #[arg(long, value_parser = encoded())]
    pub(crate) did: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// Keystore of an older version (v1, v2, v2.1, v3 or v4); it is only read
    #[arg(value_name = "FILE", value_parser = absolute())]
    pub(crate) file: PathBuf,

    /// File whose content is the passphrase of the new identity (mode 0600) [default: that of FILE]
    #[arg(long, value_name = "FILE", conflicts_with = "new_passphrase")]
    pub(crate) new_passphrase_file: Option<PathBuf>,

    /// Ask for the passphrase of the new identity [default: that of FILE]
    #[arg(long)]
    pub(crate) new_passphrase: bool,

    /// Leave the old TLS certificate and its binding out, unchecked: the way on when the binding
    /// is not valid (both are replaced in any case)
    #[arg(long)]
    pub(crate) discard_tls: bool,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct ExportArgs {
    /// Print the DID, which is public; needs no PIN or passphrase
    #[arg(long, group = "what")]
    pub(crate) did_only: bool,

    /// Print the public key, in a format that other software reads; needs no PIN or passphrase
    #[arg(long, group = "what", value_name = "FORMAT", num_args = 0..=1)]
    #[arg(default_missing_value = "pem", require_equals = true)]
    pub(crate) public_key: Option<PublicKeyFormat>,

    /// Print the public key as OpenSSH has it, and below it a line for a file of allowed signers, by
    /// which `ssh-keygen -Y verify` verifies what `icnctl sign --context` signs; needs no PIN or
    /// passphrase. Whoever publishes a line is linked to this DID
    #[arg(long, group = "what")]
    pub(crate) ssh: bool,

    /// Write the private key of a software identity to a new file: PKCS#8 PEM, encrypted with age.
    /// `age -d FILE | openssl pkey -in /dev/stdin -noout -text` shows it (`age -d -i KEYFILE FILE`
    /// where it is for a recipient)
    #[arg(long, group = "what", requires = "output")]
    pub(crate) secret: bool,

    /// The file, which must not exist (mode 0600)
    #[arg(
        short,
        long,
        value_name = "FILE",
        value_parser = a_file(),
        requires = "secret",
        conflicts_with_all = ["did_only", "public_key", "ssh"]
    )]
    pub(crate) output: Option<PathBuf>,

    /// Encrypt to this age recipient (age1…) [default: to a passphrase that is asked for]
    #[arg(long, value_name = "RECIPIENT", requires = "secret", value_parser = encoded())]
    #[arg(conflicts_with_all = ["did_only", "public_key", "ssh"])]
    pub(crate) recipient: Option<String>,

    /// File whose content is the passphrase of the export (mode 0600)
    #[arg(long, value_name = "FILE", requires = "secret")]
    #[arg(conflicts_with_all = ["recipient", "did_only", "public_key", "ssh"])]
    pub(crate) export_passphrase_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RenewArgs {
    /// End all older bindings of this DID at once, on all machines that hold it, for peers that
    /// have seen the new one: begins a later epoch, which each other machine has to join (--epoch)
    #[arg(long)]
    pub(crate) all_instances: bool,

    /// Join the epoch that another machine of this DID has begun by --all-instances, which printed
    /// the number
    #[arg(long, value_name = "N", conflicts_with = "all_instances", value_parser = number())]
    pub(crate) epoch: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RelocateArgs {
    /// PKCS#11 module (absolute path) [default: that of icn.toml]
    #[arg(long, value_name = "PATH")]
    pub(crate) module: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The present passphrase comes from --passphrase-file, $ICN_PASSPHRASE or a \
                        prompt. Copies made before (backups) still open with it."
)]
pub(crate) struct ChangePassphraseArgs {
    /// File whose content is the passphrase from now on (mode 0600) [default: a prompt]
    #[arg(long, value_name = "FILE")]
    pub(crate) new_passphrase_file: Option<PathBuf>,
}
