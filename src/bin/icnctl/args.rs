//! The command line: every argument of `icnctl`, and nothing else.

#[cfg(feature = "attestation")]
pub(crate) mod attestation;
pub(crate) mod audit;
mod backend;
mod backup;
mod config;
mod device;
pub(crate) mod id;
mod init;
mod message;
pub(crate) mod migrate;
pub(crate) mod peer;
pub(crate) mod rotation;
pub(crate) mod tpm;
mod value;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use icn_identity::audit::Event;

#[cfg(feature = "attestation")]
use self::attestation::AttestationCommand;
use self::audit::AuditCommand;
pub(crate) use self::backend::{BackendCommand, DoctorArgs};
pub(crate) use self::backup::{BackupArgs, RestoreArgs};
pub(crate) use self::config::ConfigCommand;
pub(crate) use self::device::DeviceArgs;
pub(crate) use self::id::{
    ChangePassphraseArgs, DecryptionKeyCommand, ExportArgs, IdCommand, ImportArgs, RenewArgs,
    ShowArgs, VerifyDocumentArgs,
};
pub(crate) use self::init::InitArgs;
pub(crate) use self::message::{DecryptArgs, SignArgs, VerifyArgs};
pub(crate) use self::peer::PeerArgs;
pub(crate) use self::rotation::RotationCommand;
pub(crate) use self::tpm::TpmCommand;
use self::value::encoded;
pub(crate) use self::value::{Backend, PublicKeyFormat};

/// The heading of options that every command takes, after its own.
const EVERY: &str = "Options of every command";

/// Identity of a cooperative network node: keys in a file or in an HSM.
#[derive(Debug, Parser)]
#[command(
    name = "icnctl",
    version,
    arg_required_else_help = true,
    after_help = "Exit status: 0 done, 1 failed (verify, audit verify, attestation verify, id verify-document, id rotation \
                  verify: not valid; tpm check, backend doctor, config check: no), 2 wrong usage (those that verify: could not \
                  be told), 77 a PIN or passphrase was refused, now or before, is in doubt, cannot be \
                  right, or was not sent (token locked, last try): do not restart for it"
)]
pub(crate) struct Args {
    /// Directory of the identity [default: $ICN_HOME, or ~/.icn]
    #[arg(long, global = true, help_heading = EVERY, value_name = "DIR", value_parser = value::a_home())]
    pub(crate) home: Option<PathBuf>,

    /// Configuration file [default: icn.toml in the home directory]
    #[arg(long, global = true, help_heading = EVERY, value_name = "FILE", value_parser = value::absolute())]
    pub(crate) config: Option<PathBuf>,

    /// How results are printed; did-document is for `id show`
    #[arg(long, global = true, help_heading = EVERY, value_enum, default_value_t = AskedFormat::Text)]
    pub(crate) format: AskedFormat,

    /// File whose content is the passphrase (mode 0600) [or $ICN_PASSPHRASE, or a prompt]
    #[arg(long, global = true, help_heading = EVERY, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,

    /// File whose content is the PIN of the token or TPM key (mode 0600) [or $ICN_PIN, or a prompt]
    #[arg(long, global = true, help_heading = EVERY, value_name = "FILE")]
    pub(crate) pin_file: Option<PathBuf>,

    /// The key, or its token, as an RFC 7512 URI; as `id show` prints it
    #[arg(long, global = true, help_heading = EVERY, value_name = "URI", value_parser = encoded())]
    pub(crate) key: Option<String>,

    /// Send a PIN although the token refused one from the same file or variable before
    #[arg(long, global = true, help_heading = EVERY)]
    pub(crate) retry_pin: bool,

    /// Use the key here, past an icnd that has it open. So does an option that says how the key is
    /// opened: --passphrase-file, --pin-file, --key, --retry-pin
    #[arg(long, global = true, help_heading = EVERY)]
    pub(crate) direct: bool,

    /// Say who uses the key: icnd or this command
    #[arg(short, long, global = true, help_heading = EVERY)]
    pub(crate) verbose: bool,

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
    /// Look at the configuration: a template of it, and what would be used
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Verify the audit log, show its last lines, sign a checkpoint of it
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Prove that a key is in a device by the word of its maker, and verify such proofs of peers
    #[cfg(feature = "attestation")]
    Attestation {
        #[command(subcommand)]
        command: AttestationCommand,
    },
    /// Say which peers the services on this machine accept
    Peer(PeerArgs),
    /// Sign a file with the identity's key: for a context (--context), which prints an SSH signature,
    /// or exactly its bytes, which prints the 64-byte signature in base64
    Sign(SignArgs),
    /// Verify a signature: exit 0 if valid, 1 if not, 2 if it could not be told
    Verify(VerifyArgs),
    /// Decrypt a file that `age` has encrypted to this identity
    Decrypt(DecryptArgs),
    /// Have icnd drop the keys that it has open
    Lock,
    /// Have icnd open its key: with a PIN or passphrase, which it is sent once
    Unlock,
    /// Show how the icnd of this identity is, and what it does for this user
    Status,
}

impl Args {
    /// Whether the command makes an identity, and its configuration.
    pub(crate) fn makes_one(&self) -> bool {
        let Command::Id { command } = &self.command else { return false };
        matches!(command, IdCommand::Init(_) | IdCommand::Restore(_) | IdCommand::Import(_))
    }

    /// The option by which the key is used here, whoever else has it open.
    pub(crate) fn uses_key_directly_by(&self) -> Option<&'static str> {
        let given = [
            ("--direct", self.direct),
            ("--passphrase-file", self.passphrase_file.is_some()),
            ("--pin-file", self.pin_file.is_some()),
            ("--key", self.key.is_some()),
            ("--retry-pin", self.retry_pin),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    /// Whether the command is there for a journal that cannot be read.
    pub(crate) fn recovers(&self) -> bool {
        let Command::Id { command: IdCommand::Migrate(args) } = &self.command else { return false };
        args.recover
    }
}

impl Command {
    /// Whether it works anywhere: without a home and a configuration.
    pub(crate) const fn is_homeless(&self) -> bool {
        // `approve` runs on the approver's machine.
        let is_approval = matches!(self, Self::Tpm { command: TpmCommand::Approve(_) });
        let is_template = matches!(self, Self::Config { command: ConfigCommand::Template });
        let verifies = match self {
            Self::Audit { command } => command.is_homeless(),
            #[cfg(feature = "attestation")]
            Self::Attestation { command } => command.is_homeless(),
            _ => self.verifies(),
        };
        verifies || is_approval || is_template
    }

    /// Whether it asks nothing but the daemon, and needs no more than its socket.
    pub(crate) const fn wants_socket_alone(&self) -> bool {
        matches!(self, Self::Status | Self::Lock)
    }

    /// What is written in the audit log of a command that has the key used as one whole. Those
    /// that are not here write their lines themselves, or use no key of an identity that is
    /// there before.
    pub(crate) const fn uses_key_once(&self) -> Option<Event> {
        #[cfg(feature = "attestation")]
        if matches!(self, Self::Attestation { command: AttestationCommand::Create(_) }) {
            return Some(Event::Attest);
        }
        let Self::Id { command } = self else { return None };
        Some(match command {
            IdCommand::Renew(_) => Event::Renew,
            IdCommand::Backup(_) => Event::Backup,
            IdCommand::Export(args) if args.secret => Event::Export,
            IdCommand::Rotation { command: RotationCommand::Create(_) } => Event::Rotate,
            IdCommand::Rotation { command: RotationCommand::Show(_) }
            | IdCommand::DecryptionKey { command: DecryptionKeyCommand::List } => Event::Unlock,
            IdCommand::DecryptionKey { .. }
            | IdCommand::ChangePassphrase(_)
            | IdCommand::Relocate(_)
            | IdCommand::WritePublicKey
            | IdCommand::Reseal(_) => Event::Change,
            IdCommand::Migrate(args) if !(args.plan || args.status || args.recover) => {
                Event::Change
            }
            _ => return None,
        })
    }

    /// Whether somebody who has the identity open would go on with what it was.
    pub(crate) const fn changes_identity(&self) -> bool {
        matches!(self.uses_key_once(), Some(Event::Change | Event::Rotate))
    }

    /// Exit 1 says "not valid", and 2 that it could not be told.
    pub(crate) const fn verifies(&self) -> bool {
        use RotationCommand::Verify;
        let Self::Id { command } = self else {
            let of_log = matches!(self, Self::Audit { command: AuditCommand::Verify(_) });
            #[cfg(feature = "attestation")]
            if let Self::Attestation { command } = self
                && matches!(
                    command,
                    AttestationCommand::Verify(_) | AttestationCommand::Activate(_)
                )
            {
                return true;
            }
            return of_log || matches!(self, Self::Verify(_));
        };
        matches!(command, IdCommand::VerifyDocument(_) | IdCommand::Rotation { command: Verify(_) })
    }
}
