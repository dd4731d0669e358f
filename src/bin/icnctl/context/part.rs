//! Commands on two identities: which of them is meant.

use std::path::Path;

use icn_identity::backend::Pkcs11Uri;
use icn_identity::config::Config;

use super::Context;
use crate::error::CliError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The one identity of the command.
    Only,
    /// The one that hands over.
    Old,
    /// The one that takes over.
    Successor,
}

impl Context {
    /// The identity of this context, as the one that hands over.
    pub(crate) fn as_old(&self) -> Self {
        Self { part: Part::Old, ..self.clone() }
    }

    /// Another identity, in a home of its own with a configuration of its own.
    /// Its credentials come from nowhere but the files given, or a prompt: the
    /// variables and options of the old one would spend a try.
    pub(crate) fn successor(
        &self,
        home: &Path,
        passphrase_file: Option<&Path>,
        pin_file: Option<&Path>,
    ) -> Result<Self, CliError> {
        let config_path = home.join("icn.toml");
        let config = Config::load(&config_path)?;
        let configured = config.identity.pkcs11.as_ref().and_then(|config| config.key.as_ref());
        let pin_file = pin_file.or_else(|| configured.and_then(Pkcs11Uri::pin_source));
        Ok(Self {
            wants_document: false,
            home: home.to_owned(),
            config_path,
            passphrase_file: passphrase_file.map(Path::to_owned),
            pin_file: pin_file.map(Path::to_owned),
            key: None,
            part: Part::Successor,
            config,
            format: self.format,
            retry_pin: self.retry_pin,
        })
    }

    /// For prompts: ` of the successor in /home/icn/next`, where there are two.
    pub(crate) fn whose(&self) -> String {
        let which = match self.part {
            Part::Only => return String::new(),
            Part::Old => "old identity",
            Part::Successor => "successor",
        };
        format!(" of the {which} in {}", self.home.display())
    }
}
