//! What every command starts from: home, configuration, format.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use icn_identity::Did;
use icn_identity::backend::Backend;
use icn_identity::config::Config;
use icn_identity::keystore::IdentityStore;

use crate::args::{Args, Format};
use crate::error::CliError;

#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) home: PathBuf,
    pub(crate) config_path: PathBuf,
    pub(crate) config: Config,
    pub(crate) format: Format,
    pub(crate) passphrase_file: Option<PathBuf>,
    pub(crate) pin_file: Option<PathBuf>,
    pub(crate) retry_pin: bool,
}

impl Context {
    pub(crate) fn new(args: &Args) -> Result<Self, CliError> {
        // `verify` works anywhere: it needs neither a home nor a configuration.
        let needs_files = !matches!(args.command, crate::args::Command::Verify(_));
        let home = match &args.home {
            Some(home) => home.clone(),
            None => match default_home() {
                Some(home) => home,
                None if needs_files => return Err(CliError::NoHome),
                None => PathBuf::new(),
            },
        };
        let config_path = args.config.clone().unwrap_or_else(|| home.join("icn.toml"));
        if args.config.is_some() && needs_files && !config_path.exists() && !args.is_init() {
            return Err(CliError::NoConfig { path: config_path });
        }
        let config = if needs_files { Config::load(&config_path)? } else { Config::default() };
        Ok(Self {
            home,
            config_path,
            config,
            format: args.format,
            passphrase_file: args.passphrase_file.clone(),
            pin_file: args.pin_file.clone(),
            retry_pin: args.retry_pin,
        })
    }

    pub(crate) fn store(&self) -> IdentityStore {
        IdentityStore::new(&self.home).with_age_config(self.config.identity.age.clone())
    }

    pub(crate) fn backend(&self) -> Result<Box<dyn Backend>, CliError> {
        Ok(self.config.backend(&self.home)?.open()?)
    }

    pub(crate) fn pinned(&self) -> Option<&Did> {
        self.config.identity.did.as_ref()
    }

    /// Prints to standard output; a closed pipe is an error, not a panic.
    pub(crate) fn print(text: &str) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|source| CliError::Output { source })
    }

    pub(crate) fn print_json(value: &serde_json::Value) -> Result<(), CliError> {
        Self::print(&format!("{value:#}\n"))
    }
}

impl Args {
    fn is_init(&self) -> bool {
        use crate::args::{Command, IdCommand};
        matches!(self.command, Command::Id { command: IdCommand::Init(_) })
    }
}

fn default_home() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("ICN_HOME").or_else(|| set("HOME").map(|home| home.join(".icn")))
}

/// A file's content, or standard input for `-` or nothing.
pub(crate) fn read_message(file: Option<&Path>) -> Result<Vec<u8>, CliError> {
    match file {
        Some(path) if path != Path::new("-") => fs::read(path)
            .map_err(|source| CliError::Input { what: path.display().to_string(), source }),
        _ => {
            let mut message = Vec::new();
            io::stdin()
                .lock()
                .read_to_end(&mut message)
                .map_err(|source| CliError::Input { what: "standard input".into(), source })?;
            Ok(message)
        }
    }
}
