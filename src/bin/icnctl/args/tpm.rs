//! `icnctl tpm`, and what `icnctl id init` and `reseal` take for a TPM.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use icn_identity::config::{PcrIndices, PcrPolicy, TpmConfig};

use crate::error::CliError;

#[derive(Debug, Subcommand)]
pub(crate) enum TpmCommand {
    /// Tell whether this identity will open, and which PCR differs; spends no PIN try; exit 1 if not
    Check(CheckArgs),
    /// Sign PCR values for an identity, on the approver's machine; prints the approval.
    /// It cannot be taken back: it opens the key whenever the PCRs have these values
    Approve(ApproveArgs),
    /// Put an approval where this node finds it, then make a new backup: older ones do not have it
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
#[command(after_help = "\
Backups that were made before do not have the approval, and are restored with it beside them (id \
restore --approval FILE): make a new one afterwards (icnctl id backup).")]
pub(crate) struct InstallArgs {
    /// What `icnctl tpm approve` printed; `-` or nothing for standard input
    #[arg(value_name = "APPROVAL")]
    pub(crate) approval: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Policy and PCRs are those of [identity.tpm] in icn.toml, with the present values: change them there \
first. Those of a P-256 key are a part of the key: it cannot be sealed anew.

Backups that were made before want the PCR values and the PIN of then: make a new one afterwards \
(icnctl id backup), and destroy them.")]
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

/// What of `[identity.tpm]` the command line can say.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "TPM")]
pub(crate) struct TpmArgs {
    /// Device node, or swtpm:host=ADDRESS,port=PORT [default: /dev/tpmrm0]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,

    /// Persistent handle of the storage key that the keys are made under, like 0x81000001 [default:
    /// made from the owner's seed each time]
    #[arg(long, value_name = "HANDLE", value_parser = handle)]
    pub(crate) key_handle: Option<u32>,

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

impl TpmArgs {
    /// The first option that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            ("--device", self.device.is_some()),
            ("--key-handle", self.key_handle.is_some()),
            ("--pcr-indices", self.pcr_indices.is_some()),
            ("--no-platform-binding", self.no_platform_binding),
            ("--policy", self.policy.is_some()),
            ("--approver", self.approver.is_some()),
            ("--no-pin", self.no_pin),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    /// What these options make of the configuration, told by their names.
    fn check_together(&self, config: &TpmConfig) -> Result<(), CliError> {
        let is_authorized = config.policy == PcrPolicy::Authorized;
        if (self.no_pin || self.no_platform_binding) && !config.pin && !config.platform_binding {
            return Err(CliError::TpmOptions {
                problem: "these options leave neither platform_binding nor pin: every program on this \
                          machine could use the key",
                help: "leave --no-pin or --no-platform-binding out; of what is not given here, \
                       `pin` and `platform_binding` under [identity.tpm] count",
            });
        }
        if (self.policy.is_some() || self.no_platform_binding)
            && is_authorized
            && !config.platform_binding
        {
            return Err(CliError::TpmOptions {
                problem: "--policy authorized approves PCR values: it wants platform_binding",
                help: "leave --no-platform-binding out, or give --policy literal",
            });
        }
        if self.policy.is_some() && is_authorized && config.approver.is_none() {
            return Err(CliError::TpmOptions {
                problem: "--policy authorized wants the approver's public key: `approver` is not set",
                help: "give it with --approver FILE",
            });
        }
        Ok(())
    }

    pub(crate) fn over(&self, mut config: TpmConfig) -> Result<TpmConfig, CliError> {
        if let Some(device) = &self.device {
            config.device_path.clone_from(device);
        }
        config.key_handle = self.key_handle.or(config.key_handle);
        if let Some(indices) = &self.pcr_indices {
            if indices.trim().is_empty() {
                return Err(CliError::TpmOptions {
                    problem: "--pcr-indices names none: the key is bound to at least one PCR",
                    help: "give it like --pcr-indices 0,7; or bind the key to none: \
                           --no-platform-binding",
                });
            }
            config.pcr_indices = PcrIndices::parse(indices).map_err(|_| CliError::PcrIndices)?;
            config.platform_binding = true;
        }
        config.platform_binding &= !self.no_platform_binding;
        match self.policy {
            Some(Policy::Literal) => config.policy = PcrPolicy::Literal,
            Some(Policy::Authorized) => config.policy = PcrPolicy::Authorized,
            None => {}
        }
        if let Some(approver) = &self.approver {
            // As it is to be found later, from wherever that is.
            config.approver =
                Some(std::path::absolute(approver).unwrap_or_else(|_| approver.clone()));
        }
        config.pin &= !self.no_pin;
        self.check_together(&config)?;
        config.check()?;
        Ok(config)
    }
}

/// As `tpm2_evictcontrol` takes it.
fn handle(text: &str) -> Result<u32, &'static str> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let handle = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    handle.ok_or("give it in hex, like 0x81000001")
}
