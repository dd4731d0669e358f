//! Records in `icn.toml` what `id init` decided, and pins the DID there.

use std::io;
use std::path::Path;

use icn_identity::backend::{BackendKind, Pkcs11Locator, TpmObject};
use icn_identity::config::Config;
use icn_identity::error::KeystoreError;
#[cfg(any(feature = "pkcs11", feature = "tpm"))]
use icn_identity::keystore::Change;
use icn_identity::keystore::{Draft, Header};
use icn_identity::{Did, DidKey, Error, IdentityBundle};
use toml_edit::{DocumentMut, Item, Table, Value};

use crate::context::Context;
use crate::error::CliError;
use crate::output;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Of an identity: what the configuration has to say of it.
struct Pins<'a> {
    did: &'a Did,
    backend: BackendKind,
    locator: Option<&'a Pkcs11Locator>,
    tpm: Option<&'a TpmObject>,
}

impl<'a> Pins<'a> {
    fn of(header: &'a Header) -> Self {
        let (locator, tpm) = (header.locator(), header.tpm());
        Self { did: header.did(), backend: header.backend(), locator, tpm }
    }

    /// Keeps what else is in the text, comments too.
    fn put_into(&self, text: &str, context: &Context) -> Result<String, Cause> {
        let mut document: DocumentMut = text.parse()?;
        fill(&mut document, context, self).ok_or("[identity] is not a table")?;
        Ok(document.to_string())
    }

    /// The lines alone, as far as they can be told.
    fn lines(&self, context: &Context) -> String {
        let mut document = DocumentMut::new();
        let _ = fill(&mut document, context, self);
        document.to_string()
    }
}

/// Pins an identity that is made, and then writes it: it is never there without
/// its pin. Where there is no file, it begins as `if_none`.
pub(crate) fn make(
    context: &Context,
    mut draft: Draft<'_>,
    if_none: &str,
) -> Result<(IdentityBundle<DidKey>, Header), CliError> {
    let (path, header) = (&context.config_path, draft.header().clone());
    let pins = Pins::of(&header);
    let pinned =
        draft.write_config(path, |before| pins.put_into(before.unwrap_or(if_none), context));
    // Of a new key nothing is left: there is nothing to be pinned by hand.
    let lines = (!draft.is_new()).then(|| pins.lines(context));
    pinned.map_err(|error| not_pinned(context, lines, error))?;
    Ok((draft.write()?, header))
}

/// The same for one that is changed.
#[cfg(any(feature = "pkcs11", feature = "tpm"))]
pub(crate) fn change(context: &Context, mut change: Change) -> Result<Header, CliError> {
    let (path, header) = (&context.config_path, change.header().clone());
    let pins = Pins::of(&header);
    let pinned =
        change.write_config(path, |before| pins.put_into(before.unwrap_or_default(), context));
    pinned.map_err(|error| not_pinned(context, Some(pins.lines(context)), error))?;
    drop(change.write()?);
    Ok(header)
}

fn not_pinned(context: &Context, lines: Option<String>, error: Error) -> CliError {
    match error {
        // It can be written, and must not be.
        Error::Keystore(KeystoreError::OtherPinned { .. }) => error.into(),
        error => {
            let (path, source) = (context.config_path.clone(), Box::new(error));
            CliError::NotPinned { path, lines, source }
        }
    }
}

/// Whoever can replace the files of an identity that is not pinned can put
/// another in its place. It is so after a command that was cut off, too.
pub(crate) fn warn_if_not_pinned(context: &Context, header: &Header) {
    if context.pinned().did().is_some() {
        return;
    }
    let path = context.config_path.display();
    let lines = Pins::of(header).lines(context);
    output::say(&format!("warning: {path} does not say whose identity is here"));
    output::advise(&format!(
        "if the DID is the one in your records, see that these lines are in it:\n{lines}"
    ));
}

/// The table `[identity]` of a file, with its comments and without the tables
/// of others.
pub(crate) fn identity_table(path: &Path) -> Result<Option<String>, CliError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CliError::Input { what: path.display().to_string(), source }),
    };
    let mut document = parse(&text)?;
    document.retain(|name, _| name == "identity");
    Ok((!document.is_empty()).then(|| document.to_string()))
}

/// The module that such a table names.
pub(crate) fn module(text: &str) -> Option<String> {
    let document = parse(text).ok()?;
    Some(document.get("identity")?.get("pkcs11")?.get("module")?.as_str()?.to_owned())
}

/// Such a table with another module.
pub(crate) fn with_module(text: &str, module: &Path) -> Result<String, CliError> {
    let mut document = parse(text)?;
    let module = in_toml(module)?;
    // It was parsed: both are tables.
    if let Some(pkcs11) =
        table(document.as_table_mut(), "identity").and_then(|identity| table(identity, "pkcs11"))
    {
        set(pkcs11, "module", module);
    }
    Ok(document.to_string())
}

/// A module's path as TOML can write it. Asked for before anything is made.
pub(crate) fn in_toml(module: &Path) -> Result<&str, CliError> {
    module.to_str().ok_or_else(|| CliError::ModuleNotUtf8 { path: module.to_owned() })
}

/// Its errors could quote what is in the file; those of [`Config`] do not.
fn parse(text: &str) -> Result<DocumentMut, CliError> {
    Config::parse(text)?;
    Ok(text.parse().unwrap_or_default())
}

fn fill(document: &mut DocumentMut, context: &Context, pins: &Pins<'_>) -> Option<()> {
    let identity = table(document.as_table_mut(), "identity")?;
    set(identity, "backend", pins.backend.as_str());
    set(identity, "did", pins.did.as_str());
    if pins.backend == BackendKind::Pkcs11 {
        let config = context.config.identity.pkcs11.as_ref()?;
        let locator = pins.locator?;
        let pkcs11 = table(identity, "pkcs11")?;
        set(pkcs11, "module", config.module.to_str()?);
        set(pkcs11, "token", &locator.token);
        set(pkcs11, "serial", &locator.serial);
        set(pkcs11, "key_label", &locator.label);
        if config.slot.is_none() {
            // A key that has moved is no longer in the slot it was in.
            pkcs11.remove("slot");
        }
        if pkcs11.contains_key("key") {
            let key = config.key.clone().unwrap_or_default();
            let names_it = key.matches_locator(locator);
            set(pkcs11, "key", if names_it { key } else { key.at(locator) }.to_string());
        }
    }
    if let Some(object) = pins.tpm {
        fill_tpm(table(identity, "tpm")?, context, object)?;
    }
    Some(())
}

/// What the key was made with, so that the next one is made alike.
fn fill_tpm(tpm: &mut Table, context: &Context, object: &TpmObject) -> Option<()> {
    let config = context.config.identity.tpm.as_ref()?;
    set(tpm, "device_path", &config.device_path);
    if let Some(handle) = object.parent.handle {
        // As people write it.
        set(tpm, "key_handle", format!("{handle:#010x}").parse::<Value>().ok()?);
    }
    set(tpm, "parent_name", output::hex(&object.parent.name));
    set(tpm, "platform_binding", !object.policy.pcr.is_empty());
    if !object.policy.pcr.is_empty() {
        set(tpm, "pcr_bank", config.pcr_bank.as_str());
        set(tpm, "pcr_indices", config.pcr_indices.to_string());
    }
    set(tpm, "pin", object.policy.pin.is_some());
    let authorized = object.policy.authorized.is_some();
    set(tpm, "policy", if authorized { "authorized" } else { "literal" });
    if let Some(approver) = config.approver.as_ref().and_then(|path| path.to_str())
        && authorized
    {
        set(tpm, "approver", approver);
    }
    Some(())
}

/// Sets a value, and keeps the comments around the one that was there.
fn set(table: &mut Table, name: &str, new: impl Into<Value>) {
    let mut new = new.into();
    match table.get_mut(name).and_then(Item::as_value_mut) {
        Some(old) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => {
            table.insert(name, Item::Value(new));
        }
    }
}

/// The table of that name, made where it is missing; an inline one
/// (`identity = { … }`) becomes a table of its own.
fn table<'a>(parent: &'a mut Table, name: &str) -> Option<&'a mut Table> {
    let item = parent.entry(name).or_insert_with(|| Item::Table(Table::new()));
    if !item.is_table() {
        *item = Item::Table(std::mem::take(item).into_table().ok()?);
    }
    item.as_table_mut()
}
