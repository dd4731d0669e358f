//! Commands on two identities: which of them is meant.

use std::path::Path;

use icn_identity::backend::{BackendKind, Pkcs11Uri};
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
    /// The one that a migration makes. Its PIN is that of the command if the old one has none.
    Target { has_the_variable: bool },
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
            direct_by: self.direct_by,
            verbose: self.verbose,
        })
    }

    /// What a migration makes, in the same home.
    pub(crate) fn target(
        &self,
        backend: BackendKind,
        pin_file: Option<&Path>,
        passphrase_file: Option<&Path>,
        has_the_variable: bool,
    ) -> Self {
        let mut target = self.clone();
        target.config.identity.backend = backend;
        target.pin_file = pin_file.map(Path::to_owned);
        target.passphrase_file = passphrase_file.map(Path::to_owned);
        target.part = Part::Target { has_the_variable };
        target
    }

    /// For prompts: ` of the successor in /home/icn/next`, where there are two.
    pub(crate) fn whose(&self) -> String {
        let which = match self.part {
            Part::Only => return String::new(),
            Part::Old => "old identity",
            Part::Successor => "successor",
            Part::Target { .. } => return " of the new identity".to_owned(),
        };
        format!(" of the {which} in {}", self.home.display())
    }
}
