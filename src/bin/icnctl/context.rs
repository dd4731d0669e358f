//! What every command starts from: home, configuration, format.

mod part;

use std::path::{Path, PathBuf};

use icn_identity::Did;
use icn_identity::backend::{BackendKind, Pkcs11Uri};
use icn_identity::config::{Config, Pkcs11Config};
use icn_identity::error::in_full;
use icn_identity::home::{Home, HomeOptions};
#[cfg(feature = "pkcs11")]
use icn_identity::keystore::Pinned;
use icn_identity::keystore::{Header, IdentityStore};

pub(crate) use self::part::Part;
use crate::args::{Args, AskedFormat, Command, IdCommand};
use crate::error::{Asking, CliError};
use crate::output::{self, Format};
use crate::this_home;

#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) home: PathBuf,
    pub(crate) config_path: PathBuf,
    pub(crate) config: Config,
    pub(crate) format: Format,
    /// `id show --format did-document`
    pub(crate) wants_document: bool,
    pub(crate) passphrase_file: Option<PathBuf>,
    pub(crate) pin_file: Option<PathBuf>,
    pub(crate) key: Option<Pkcs11Uri>,
    pub(crate) retry_pin: bool,
    /// The option by which the key is used here, whoever else has it open.
    pub(crate) direct_by: Option<&'static str>,
    pub(crate) verbose: bool,
    pub(crate) part: Part,
}

impl Context {
    pub(crate) fn new(args: &Args) -> Result<Self, CliError> {
        let wants_document = args.format == AskedFormat::DidDocument;
        if wants_document && !matches!(args.command, Command::Id { command: IdCommand::Show(_) }) {
            return Err(CliError::FormatOfShow);
        }
        let needs_files = !args.command.is_homeless();
        let home = match &args.home {
            Some(home) => home.clone(),
            None if !needs_files => PathBuf::new(),
            None => default_home()?.ok_or(CliError::NoHome)?,
        };
        this_home::remember(&home);
        let config_path = args.config.clone().unwrap_or_else(|| home.join("icn.toml"));
        if args.config.is_some() && needs_files && !config_path.exists() && !args.makes_one() {
            return Err(CliError::NoConfig { path: config_path });
        }
        let loaded = if needs_files { Config::load(&config_path) } else { Ok(Config::default()) };
        let (config, is_read) = match loaded {
            Ok(config) => (config, true),
            // Whoever asks why an icnd goes on by an older one has broken this one.
            Err(error) if args.command.wants_socket_alone() => {
                output::say(&format!("warning: {}", in_full(&error)));
                output::advise("correct it; icnd is looked for at the socket in the home");
                (Config::default(), false)
            }
            Err(error) => return Err(error.into()),
        };
        if needs_files && is_read && !args.recovers() {
            // A switch to another identity that was cut off, if the configuration names it.
            let (backend, did) = (config.identity.backend, config.identity.did.as_ref());
            IdentityStore::new(&home).settle_switch(backend, did)?;
        }
        let key = args.key.as_ref().map(|key| key.parse()).transpose();
        let key: Option<Pkcs11Uri> = key.map_err(|source| CliError::Key { source })?;
        let mut pin_file = args.pin_file.clone();
        for key in key.iter().chain(config.identity.pkcs11.iter().filter_map(|c| c.key.as_ref())) {
            pin_file = pin_file.or_else(|| key.pin_source().map(Path::to_owned));
        }
        Ok(Self {
            home,
            config_path,
            config,
            format: if args.format == AskedFormat::Json { Format::Json } else { Format::Text },
            wants_document,
            passphrase_file: args.passphrase_file.clone(),
            pin_file,
            key,
            retry_pin: args.retry_pin,
            direct_by: args.uses_key_directly_by(),
            verbose: args.verbose,
            part: Part::Only,
        })
    }

    pub(crate) fn store(&self) -> IdentityStore {
        IdentityStore::new(&self.home).with_age_config(self.config.identity.age.clone())
    }

    /// The home as it is configured, and as `--key` says on top. One that pins nobody
    /// is taken, and [`Self::warn_if_not_pinned`] says so.
    pub(crate) fn home(&self) -> Result<Home, CliError> {
        let mut config = self.config.clone();
        if config.identity.backend == BackendKind::Pkcs11 {
            config.identity.pkcs11 = Some(self.pkcs11(None)?);
        } else if self.key.is_some() {
            return Err(CliError::OptionForPkcs11 { option: "--key", asking: Asking::Init });
        }
        self.home_with(config)
    }

    /// Of a home whose device may be told later: the DID that is pinned, where an
    /// identity is to be made.
    pub(crate) fn pinned_for_new(&self) -> Result<Option<Did>, CliError> {
        Ok(self.home_with(self.config.clone())?.pinned_for_new()?.cloned())
    }

    /// The home as far as `icn.toml` says: no module need be named.
    pub(crate) fn unlimited_home(&self) -> Result<Home, CliError> {
        self.home_with(self.config.clone())
    }

    fn home_with(&self, config: Config) -> Result<Home, CliError> {
        let options = HomeOptions::new().with_config_file(&self.config_path).with_config(config);
        let options = options.allow_unpinned();
        let options = if self.retry_pin { options.retry_refused() } else { options };
        let options = match HomeOptions::state_directory_of_user() {
            Some(directory) => options.with_state_directory(directory),
            None => options,
        };
        Ok(options.open(&self.home)?)
    }

    /// The header, if it is what is configured and pinned. No device is asked.
    pub(crate) fn header(&self) -> Result<Header, CliError> {
        let (config, path) = (self.config.clone(), &self.config_path);
        let options = HomeOptions::new().with_config_file(path).with_config(config);
        Ok(options.allow_unpinned().open(&self.home)?.header()?)
    }

    /// The configured token, and what `--key` says of it on top.
    pub(crate) fn pkcs11(&self, module: Option<&Path>) -> Result<Pkcs11Config, CliError> {
        let module = module.or_else(|| self.key.as_ref().and_then(Pkcs11Uri::module_path));
        let mut config = match (self.config.identity.pkcs11.clone(), module) {
            (Some(mut config), Some(module)) => {
                config.module = module.to_owned();
                config
            }
            (Some(config), None) => config,
            (None, Some(module)) => Pkcs11Config::new(module),
            (None, None) => return Err(CliError::NoModule { asking: Asking::Init }),
        };
        if let Some(key) = &self.key {
            config.key = Some(key.clone());
        }
        Ok(config)
    }

    /// Whether `--key`, or `key` in `icn.toml`, names a key and not only its token.
    pub(crate) fn names_a_key(&self) -> bool {
        let config = self.config.identity.pkcs11.as_ref();
        config
            .filter(|_| self.config.identity.backend == BackendKind::Pkcs11)
            .and_then(|config| config.key.as_ref())
            .is_some_and(Pkcs11Uri::names_a_key)
    }

    /// The configured TPM.
    #[cfg(feature = "tpm")]
    pub(crate) fn tpm(&self) -> Result<icn_identity::backend::tpm::TpmBackend, CliError> {
        let backend = self.config.identity.backend;
        if backend != BackendKind::Tpm {
            return Err(CliError::OnlyForTpm { backend });
        }
        let config = self.config.identity.tpm.clone().unwrap_or_default();
        Ok(icn_identity::backend::tpm::TpmBackend::open(&self.home, &config)?)
    }

    /// Whose identity is here. Where nothing is pinned, `sign` and `show` say so.
    #[cfg(feature = "pkcs11")]
    pub(crate) fn pinned(&self) -> Pinned<'_> {
        self.config.identity.did.as_ref().map_or(Pinned::Nobody, Pinned::To)
    }

    /// Whoever can replace the files of an identity that is not pinned can put
    /// another in its place. It is so after a command that was cut off, too.
    pub(crate) fn warn_if_not_pinned(&self, home: &Home, header: &Header) {
        if home.config().identity.did.is_some() {
            return;
        }
        let (path, lines) = (self.config_path.display(), home.pin_lines(header));
        output::say(&match self.config_path.exists() {
            true => format!("warning: {path} does not say whose identity is here"),
            false => format!("warning: {path} is missing, which says whose identity is here"),
        });
        output::advise(&format!(
            "if the DID is the one in your records, see that these lines are in it{}:\n{lines}",
            not_in_header(home, header)
        ));
    }
}

/// What of these lines is not in the header, where no configuration says it; for the
/// middle of a sentence.
fn not_in_header(home: &Home, header: &Header) -> &'static str {
    let config = &home.config().identity;
    let is_authorized = header.tpm().is_some_and(|object| object.policy.authorized.is_some());
    match header.backend() {
        BackendKind::Pkcs11 if config.pkcs11.is_none() => {
            ", with the path of the token's PKCS#11 module for MODULE"
        }
        BackendKind::Tpm if config.tpm.is_none() && is_authorized => {
            ", with the device that it is (device_path), and the approver's public key"
        }
        BackendKind::Tpm if config.tpm.is_none() => ", with the device that it is (device_path)",
        _ => "",
    }
}

/// A module's path as TOML can write it. Asked for before anything is made.
pub(crate) fn check_module(module: &Path) -> Result<(), CliError> {
    match module.to_str() {
        Some(_) => Ok(()),
        None => Err(CliError::ModuleNotUtf8 { path: module.to_owned() }),
    }
}

/// Where the identity is if nobody says it.
fn default_home() -> Result<Option<PathBuf>, CliError> {
    for (variable, below) in [("ICN_HOME", None), ("HOME", Some(".icn"))] {
        let Some(value) = std::env::var_os(variable).filter(|value| !value.is_empty()) else {
            continue;
        };
        let directory = PathBuf::from(value);
        // It would be another one in each directory that a command is run in; and `~` is
        // one only for a shell, and not in quotes.
        if !directory.is_absolute() {
            return Err(CliError::RelativeVariable { variable, value: directory });
        }
        return Ok(Some(below.map_or(directory.clone(), |below| directory.join(below))));
    }
    Ok(None)
}
