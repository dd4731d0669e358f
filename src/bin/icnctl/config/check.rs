//! What would be used, where it comes from, and what is missing.

use std::fs::File;
use std::path::Path;

use icn_identity::Error;
use icn_identity::backend::{BackendKind, Pkcs11Uri};
use icn_identity::config::{Config, ConfigError, Explained, ExplainedTable, PcrPolicy};
use icn_identity::error::{DeviceError, KeystoreError, in_full};
use icn_identity::home::HomeOptions;

use crate::context::Context;
use crate::error::{Asking, CliError};
use crate::standard;

/// What the command line has named.
#[derive(Clone, Copy)]
pub(crate) struct Given {
    pub(crate) home: bool,
    pub(crate) config: bool,
    pub(crate) pin_file: bool,
}

pub(super) struct Checked {
    pub(super) home: Place,
    pub(super) file: Place,
    /// What the homes of this user share.
    pub(super) state: Option<Place>,
    /// Where it is written down who had the key do what.
    pub(super) audit: Place,
    /// Where icnd listens.
    pub(super) socket: Place,
    pub(super) explained: Explained,
    pub(super) passphrase: String,
    /// None where no device is configured.
    pub(super) pin: Option<String>,
    pub(super) notes: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

/// A path, and what has named it.
pub(super) struct Place {
    pub(super) path: String,
    pub(super) from: String,
    pub(super) exists: bool,
}

impl Place {
    fn new(path: &Path, from: impl Into<String>) -> Self {
        let exists = path.exists();
        Self { path: path.display().to_string(), from: from.into(), exists }
    }
}

pub(super) struct Problem {
    pub(super) what: String,
    pub(super) help: Option<String>,
}

impl Problem {
    fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: Some(help.into()) }
    }

    fn of(error: &CliError) -> Self {
        Self { what: in_full(error), help: error.help() }
    }
}

pub(super) fn check(context: &Context, given: Given) -> Result<Checked, CliError> {
    let backend = context.config.identity.backend;
    if context.key.is_some() && backend != BackendKind::Pkcs11 {
        return Err(CliError::OptionForPkcs11 { option: "--key", asking: Asking::Init });
    }
    let mut checked = Checked {
        home: Place::new(&context.home, home_from(given)),
        file: Place::new(
            &context.config_path,
            if given.config { "--config" } else { "in the home" },
        ),
        state: HomeOptions::state_directory_of_user().map(|directory| {
            let is_set =
                std::env::var_os("XDG_STATE_HOME").is_some_and(|it| Path::new(&it).is_absolute());
            Place::new(&directory, if is_set { "$XDG_STATE_HOME" } else { "$HOME" })
        }),
        audit: Place::new(&context.audit_path(), audit_from(context)),
        socket: Place::new(&context.socket(), socket_from(context)),
        explained: Config::explain_file(&context.config_path)?,
        passphrase: passphrase_from(context),
        pin: (backend != BackendKind::Age).then(|| pin_from(context, given)),
        notes: Vec::new(),
        problems: Vec::new(),
    };
    if !checked.file.exists {
        checked.notes.push("there is no configuration: everything is at its default".into());
    }
    of_strangers(&mut checked);
    of_tables(&mut checked, backend);
    let is_there = of_identity(context, &mut checked)?;
    of_device(context, &mut checked, is_there);
    of_owner(context, &mut checked);
    of_credentials(context, &mut checked);
    Ok(checked)
}

/// Whether a table says anything to this backend.
pub(super) fn is_used(table: &ExplainedTable, backend: BackendKind) -> bool {
    match table.name.as_str() {
        "identity.pkcs11" => backend == BackendKind::Pkcs11,
        "identity.tpm" => backend == BackendKind::Tpm,
        _ => true,
    }
}

/// What `--key` says in the place of the file: the field, and its value.
pub(super) fn by_option(context: &Context) -> Vec<(&'static str, String)> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let Some(key) = &context.key else { return Vec::new() };
    let module = key.module_path().map(|path| ("module", quoted(&path.to_string_lossy())));
    [("key", quoted(&key.to_string()))].into_iter().chain(module).collect()
}

fn audit_from(context: &Context) -> &'static str {
    match (&context.config.audit.path, context.config.audit_path()) {
        (Some(_), _) => "`path` in [audit]",
        (None, Some(_)) => "`audit_log` in [identity.pkcs11]",
        (None, None) => "in the home: icnd writes it, and commands where it is there",
    }
}

fn socket_from(context: &Context) -> &'static str {
    match context.config.daemon.socket {
        Some(_) => "`socket` in [daemon]",
        None if context.socket().starts_with(&context.home) => "in the home",
        None => "$RUNTIME_DIRECTORY",
    }
}

fn home_from(given: Given) -> &'static str {
    let is_set = std::env::var_os("ICN_HOME").is_some_and(|it| !it.is_empty());
    match given.home {
        true => "--home",
        false if is_set => "$ICN_HOME",
        false => "$HOME",
    }
}

fn variable_or_prompt(variable: &str) -> String {
    match std::env::var_os(variable) {
        Some(_) => format!("${variable}"),
        None => "asked for on the terminal".into(),
    }
}

fn passphrase_from(context: &Context) -> String {
    match &context.passphrase_file {
        Some(file) => format!("{} (--passphrase-file)", file.display()),
        None => variable_or_prompt("ICN_PASSPHRASE"),
    }
}

fn pin_from(context: &Context, given: Given) -> String {
    let Some(file) = &context.pin_file else { return variable_or_prompt("ICN_PIN") };
    let by_key = context.key.as_ref().is_some_and(|key| Pkcs11Uri::pin_source(key).is_some());
    let from = match given.pin_file {
        true => "--pin-file",
        false if by_key => "pin-source of --key",
        false => "pin-source of `key` in the configuration",
    };
    format!("{} ({from})", file.display())
}

fn of_strangers(checked: &mut Checked) {
    for stranger in &checked.explained.others {
        let line = stranger.line.unwrap_or_default();
        match stranger.like.first() {
            None => checked
                .notes
                .push(format!("`{}` (line {line}) belongs to another program", stranger.name)),
            Some(like) => checked.problems.push(Problem::new(
                format!(
                    "`{}` (line {line}) is taken for something of another program: it is not in \
                     the table of `{like}`",
                    stranger.name
                ),
                format!(
                    "write it as `{like}` if that is meant; if it is of another program, put it \
                     into a table of that program"
                ),
            )),
        }
    }
}

fn of_tables(checked: &mut Checked, backend: BackendKind) {
    for table in &checked.explained.tables {
        if let Some(line) = table.line.filter(|_| !is_used(table, backend)) {
            checked.notes.push(format!(
                "[{}] (line {line}) is not used: the backend is {backend}",
                table.name
            ));
        }
    }
}

/// Gives whether there is an identity.
fn of_identity(context: &Context, checked: &mut Checked) -> Result<bool, CliError> {
    match context.header().map_err(|error| context.explain(error)) {
        Ok(header) if context.config.identity.did.is_none() => {
            let lines = context.unlimited_home()?.pin_lines(&header);
            let what = "the configuration does not say whose identity is here";
            let help = format!(
                "if {} is the DID in your records, see that these lines are in {}:\n{lines}",
                header.did(),
                context.config_path.display()
            );
            checked.problems.push(Problem::new(what, help));
            Ok(true)
        }
        Ok(_) => Ok(true),
        Err(error @ CliError::HomeOfClient { has_did: true, .. }) => {
            checked.notes.push(error.to_string());
            Ok(false)
        }
        Err(CliError::Identity(Error::Keystore(KeystoreError::NoIdentity { .. }))) => {
            let home = context.home.display();
            checked
                .notes
                .push(format!("there is no identity in {home} yet: `icnctl id init` makes one"));
            Ok(false)
        }
        Err(error) => {
            checked.problems.push(Problem::of(&error));
            Ok(true)
        }
    }
}

fn of_device(context: &Context, checked: &mut Checked, is_there: bool) {
    let mut missing = |what: &str, path: &Path, help: &str| {
        if let Err(error) = std::fs::metadata(path) {
            let what = format!("{what} {} cannot be had: {error}", path.display());
            checked.problems.push(Problem::new(what, help));
        }
    };
    match context.config.identity.backend {
        BackendKind::Pkcs11 => match context.pkcs11(None) {
            Ok(token) => {
                let help = "set `module` to the absolute path of the token's PKCS#11 library";
                missing("the PKCS#11 module", &token.module, help);
                if !token.module.is_absolute() {
                    let what = format!("`module` is no absolute path: {}", token.module.display());
                    checked.problems.push(Problem::new(what, help));
                }
            }
            Err(_) => checked.problems.push(Problem::of(&ConfigError::NoPkcs11Section.into())),
        },
        BackendKind::Tpm => {
            let tpm = context.config.identity.tpm.clone().unwrap_or_default();
            let node = tpm.device_path.strip_prefix("device:").unwrap_or(&tpm.device_path);
            if node.starts_with('/') {
                missing("the TPM", node.as_ref(), "set `device_path` to the device of the TPM");
            }
            // Of a key that is there, its own policy names the approver.
            if let Some(approver) = tpm.approver.filter(|_| tpm.policy == PcrPolicy::Authorized)
                && !is_there
            {
                let help = "set `approver` to the file with the approver's public key";
                missing("the approver's public key", &approver, help);
            }
        }
        _ => {}
    }
    let not_built = match context.config.identity.backend {
        BackendKind::Pkcs11 if !cfg!(feature = "pkcs11") => Some(DeviceError::NoPkcs11),
        BackendKind::Tpm if !cfg!(feature = "tpm") => Some(DeviceError::NoTpm),
        _ => None,
    };
    checked.problems.extend(not_built.map(|error| Problem::of(&error.into())));
}

/// Whose icnd is believed.
fn of_owner(context: &Context, checked: &mut Checked) {
    match context.owner() {
        Ok(None) => {}
        Ok(Some(uid)) => checked.notes.push(format!(
            "who listens at the socket is asked only if it is of user {uid} (`owner`) or root"
        )),
        Err(error) => {
            let error = Problem::of(&error);
            let what = format!(
                "{}: nobody is asked at the socket, and every command that would ask fails",
                error.what
            );
            checked.problems.push(Problem { what, ..error });
        }
    }
}

/// What is named and cannot be opened. Pipes are not read here.
fn of_credentials(context: &Context, checked: &mut Checked) {
    let with_pin = context.pin_file.as_deref().filter(|_| checked.pin.is_some());
    for (what, file) in [("PIN", with_pin), ("passphrase", context.passphrase_file.as_deref())] {
        let file = file.filter(|file| !standard::is_input(file) && is_plain(file));
        if let Some((file, error)) = file.and_then(|file| Some((file, File::open(file).err()?))) {
            let what =
                format!("the file with the {what}, {}, cannot be read: {error}", file.display());
            checked.problems.push(Problem::new(what, "name a file that this user can read"));
        }
    }
}

/// Also of one that is not there.
fn is_plain(file: &Path) -> bool {
    file.metadata().map_or(true, |metadata| metadata.is_file())
}
