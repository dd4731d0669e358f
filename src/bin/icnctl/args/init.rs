//! `icnctl id init`

use super::device::DeviceArgs;
use super::value::Backend;

#[derive(Debug, clap::Args)]
pub(crate) struct InitArgs {
    /// Where the key is made and kept [default: `backend` in icn.toml, or age]
    #[arg(long, value_enum)]
    pub(crate) backend: Option<Backend>,

    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}
