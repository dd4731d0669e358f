//! `icnctl backend`

use std::path::PathBuf;

use clap::Subcommand;

use super::value::Backend;

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

    /// Try it out, with keys that go with their session (a token wants its PIN for that)
    #[arg(long)]
    pub(crate) probe: bool,

    /// Token: try it out with keys that last, as those of an identity do, and are removed
    #[arg(long)]
    pub(crate) probe_with_lasting_key: bool,

    /// PKCS#11 module (absolute path) [default: that of icn.toml]
    #[arg(long, value_name = "PATH")]
    pub(crate) module: Option<PathBuf>,

    /// Label of the token [default: that of icn.toml]
    #[arg(long, value_name = "LABEL")]
    pub(crate) token: Option<String>,
}

impl DoctorArgs {
    /// Whether anything is tried out.
    pub(crate) const fn probes(&self) -> bool {
        self.probe || self.probe_with_lasting_key
    }
}
