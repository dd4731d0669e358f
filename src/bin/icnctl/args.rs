//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::backup_args::{BackupArgs, RestoreArgs};
use crate::change_passphrase::ChangePassphraseArgs;
use crate::export::ExportArgs;
use crate::import::ImportArgs;
use crate::rotation_args::RotationCommand;

/// Identity of a cooperative network node: keys in a file or in an HSM.
#[derive(Debug, Parser)]
#[command(
    name = "icnctl",
    version,
    arg_required_else_help = true,
    after_help = "Exit status: 0 done, 1 failed (verify, id verify-document, id rotation verify: not \
                  valid; tpm check, backend doctor: no), 2 wrong usage (those that verify: could not \
                  be told), 77 a PIN or passphrase was refused: do not restart for it"
)]
pub(crate) struct Args {
    /// Directory of the identity [default: $ICN_HOME, or ~/.icn]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,

    /// Configuration file [default: icn.toml in the home directory]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// How results are printed; did-document is for `id show`
    #[arg(long, global = true, value_enum, default_value_t = AskedFormat::Text)]
    pub(crate) format: AskedFormat,

    /// File whose content is the passphrase (mode 0600) [or $ICN_PASSPHRASE, or a prompt]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,

    /// File whose content is the PIN of the token or TPM key (mode 0600) [or $ICN_PIN, or a prompt]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) pin_file: Option<PathBuf>,

    /// The key, or its token, as an RFC 7512 URI; as `id show` prints it
    #[arg(long, global = true, value_name = "URI")]
    pub(crate) key: Option<String>,

    /// Send a PIN although the token refused one from the same file or variable before
    #[arg(long, global = true)]
    pub(crate) retry_pin: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What `--format` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AskedFormat {
    Text,
    Json,
    DidDocument,
}

/// What every command can print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make or show the identity
    Id {
        #[command(subcommand)]
        command: IdCommand,
    },
    /// Look at the devices that keep keys
    Backend {
        #[command(subcommand)]
        command: BackendCommand,
    },
    /// Will a TPM open this identity? Approve other PCR values for it
    Tpm {
        #[command(subcommand)]
        command: TpmCommand,
    },
    /// Sign a file with the identity's key; prints the 64-byte signature in base64
    Sign(SignArgs),
    /// Verify a signature: exit 0 if valid, 1 if not, 2 if it could not be told
    Verify(VerifyArgs),
    /// Decrypt a file that `age` has encrypted to this identity
    Decrypt(DecryptArgs),
}

impl Command {
    /// Exit 1 says "not valid", and 2 that it could not be told.
    pub(crate) const fn verifies(&self) -> bool {
        use RotationCommand::Verify;
        let Self::Id { command } = self else { return matches!(self, Self::Verify(_)) };
        matches!(command, IdCommand::VerifyDocument(_) | IdCommand::Rotation { command: Verify(_) })
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackendCommand {
    /// Tell whether a token or a TPM is fit for an identity; exit 1 if not
    Doctor(DoctorArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// Which backend [default: `backend` in icn.toml; pkcs11 with --module, tpm with --device]
    #[arg(long, value_enum)]
    pub(crate) backend: Option<Backend>,

    /// TPM: device node, or swtpm:host=ADDRESS,port=PORT [default: that of icn.toml]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,

    /// Try it out, with keys that are gone afterwards (a token wants its PIN for that)
    #[arg(long)]
    pub(crate) probe: bool,

    /// PKCS#11 module (absolute path) [default: that of icn.toml]
    #[arg(long, value_name = "PATH")]
    pub(crate) module: Option<PathBuf>,

    /// Label of the token [default: that of icn.toml]
    #[arg(long, value_name = "LABEL")]
    pub(crate) token: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IdCommand {
    /// Make a new identity, or one around the key that --key names; never overwrites one
    Init(InitArgs),
    /// Show the identity; needs no PIN or passphrase. `--format did-document` prints what peers
    /// need to know of it, signed
    Show,
    /// Verify a peer's DID document and print its DID and age recipient; needs no network.
    /// Exit 0 if valid, 1 if not, 2 if it could not be told
    VerifyDocument(crate::document::VerifyDocumentArgs),
    /// Make an identity from a keystore of an older version, with the same DID; FILE is left as it is
    Import(ImportArgs),
    /// The DID for others, or a software identity's private key for other programs
    Export(ExportArgs),
    /// Hand over to another key, and look at the chain of such statements
    Rotation {
        #[command(subcommand)]
        command: RotationCommand,
    },
    /// Find the identity's key again, on a token that was restored, cloned or renamed
    Relocate(RelocateArgs),
    /// Replace the TLS key and certificate now, though they are not due: after a suspected theft of
    /// the TLS key, or where peers say that a later number was seen
    Renew,
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
pub(crate) struct ResealArgs {
    /// PCR values that the keys are to open with as well, beside the present ones: as JSON, or as
    /// `tpm2_pcrread` prints them; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) pcr_values: Option<PathBuf>,

    /// File whose content is the PIN from now on (mode 0600)
    #[arg(long, value_name = "FILE", conflicts_with = "new_pin")]
    pub(crate) new_pin_file: Option<PathBuf>,

    /// Ask for another PIN
    #[arg(long)]
    pub(crate) new_pin: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TpmCommand {
    /// Tell whether this identity will open, and which PCR differs; spends no PIN try; exit 1 if not
    Check(CheckArgs),
    /// Sign PCR values for an identity, on the approver's machine; prints the approval.
    /// It cannot be taken back: it opens the key whenever the PCRs have these values
    Approve(ApproveArgs),
    /// Put an approval where this node finds it
    Install(InstallArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// PCR values to be looked at instead of the present ones, as JSON or as `tpm2_pcrread` prints
    /// them; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) pcr_values: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ApproveArgs {
    /// The approver's key: P-256, PKCS#8 PEM, mode 0600
    #[arg(long, value_name = "FILE")]
    pub(crate) approver_key: PathBuf,

    /// PCR values to be approved instead of those in the request
    #[arg(long, value_name = "FILE")]
    pub(crate) pcr_values: Option<PathBuf>,

    /// What `icnctl --format json tpm check` printed on the node; `-` or nothing for standard input
    #[arg(value_name = "REQUEST")]
    pub(crate) request: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct InstallArgs {
    /// What `icnctl tpm approve` printed; `-` or nothing for standard input
    #[arg(value_name = "APPROVAL")]
    pub(crate) approval: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RelocateArgs {
    /// PKCS#11 module (absolute path) [default: that of icn.toml]
    #[arg(long, value_name = "PATH")]
    pub(crate) module: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct InitArgs {
    /// Where the key is made and kept [default: `backend` in icn.toml, or age]
    #[arg(long, value_enum)]
    pub(crate) backend: Option<Backend>,

    /// Algorithm of the key; p256 is for devices without Ed25519 [default: ed25519, or that of
    /// the key that --key names]
    #[arg(long, value_enum)]
    pub(crate) algorithm: Option<Algorithm>,

    /// How the key is written as a DID [default: icn; key for p256, which has no other]
    #[arg(long, value_enum)]
    pub(crate) did_method: Option<Method>,

    /// PKCS#11 module (absolute path)
    #[arg(long, value_name = "PATH")]
    pub(crate) module: Option<PathBuf>,

    /// Label of the token
    #[arg(long, value_name = "LABEL")]
    pub(crate) token: Option<String>,

    /// Label of the new key on the token [default: icn-identity]
    #[arg(long, value_name = "LABEL")]
    pub(crate) key_label: Option<String>,

    #[command(flatten)]
    pub(crate) tpm: TpmArgs,
}

/// What of `[identity.tpm]` the command line can say.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "TPM")]
pub(crate) struct TpmArgs {
    /// Device node, or swtpm:host=ADDRESS,port=PORT [default: /dev/tpmrm0]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,

    /// PCRs that the key is bound to, like 0,7 [default: 7]
    #[arg(long, value_name = "LIST", conflicts_with = "no_platform_binding")]
    pub(crate) pcr_indices: Option<String>,

    /// Do not bind the key to PCRs: the PIN alone opens it
    #[arg(long)]
    pub(crate) no_platform_binding: bool,

    /// Whether an approver can sign other PCR values; an approval cannot be taken back
    #[arg(long, value_enum)]
    pub(crate) policy: Option<Policy>,

    /// The approver's public key: P-256, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) approver: Option<PathBuf>,

    /// No PIN: whoever has this machine and boots it unchanged has the key
    #[arg(long)]
    pub(crate) no_pin: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    Literal,
    Authorized,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    Age,
    Pkcs11,
    Tpm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    Ed25519,
    P256,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    Icn,
    Key,
}

pub(crate) use crate::decrypt::DecryptArgs;

#[derive(Debug, clap::Args)]
pub(crate) struct SignArgs {
    /// File to sign; `-` or nothing for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// Whose signature it is
    #[arg(long)]
    pub(crate) did: String,

    /// The signature, 64 bytes in base64
    #[arg(long, value_name = "BASE64")]
    pub(crate) signature: String,

    /// File that was signed; `-` or nothing for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
