//! What the command line says about a TPM, over what is configured.

use icn_identity::config::{PcrIndices, PcrPolicy, TpmConfig};

use crate::args::{Policy, TpmArgs};
use crate::error::CliError;

impl TpmArgs {
    /// The first option that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            ("--device", self.device.is_some()),
            ("--pcr-indices", self.pcr_indices.is_some()),
            ("--no-platform-binding", self.no_platform_binding),
            ("--policy", self.policy.is_some()),
            ("--approver", self.approver.is_some()),
            ("--no-pin", self.no_pin),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    pub(crate) fn over(&self, mut config: TpmConfig) -> Result<TpmConfig, CliError> {
        if let Some(device) = &self.device {
            config.device_path.clone_from(device);
        }
        if let Some(indices) = &self.pcr_indices {
            config.pcr_indices = PcrIndices::parse(indices).ok_or(CliError::PcrIndices)?;
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
        config.check()?;
        Ok(config)
    }
}
