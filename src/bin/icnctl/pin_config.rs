//! Records in `icn.toml` what `id init` decided, and pins the DID there.

use std::io;
use std::path::Path;

use icn_identity::backend::{BackendKind, TpmObject};
use icn_identity::config::Config;
use icn_identity::keystore::Header;
use toml_edit::{DocumentMut, Item, Table, Value};

use crate::context::Context;
use crate::error::CliError;

/// Keeps what else is in the file, comments too.
pub(crate) fn record(context: &Context, header: &Header) -> Result<(), CliError> {
    record_over(context, header, "")
}

/// As [`record`]; where there is no file, it begins as `if_none`.
pub(crate) fn record_over(
    context: &Context,
    header: &Header,
    if_none: &str,
) -> Result<(), CliError> {
    let path = &context.config_path;
    let write = || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => if_none.to_owned(),
            Err(error) => return Err(error.into()),
        };
        let mut document: DocumentMut = text.parse()?;
        fill(&mut document, context, header).ok_or("[identity] is not a table")?;
        // Through a symbolic link, not over it.
        let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let permissions = std::fs::metadata(&target).map(|metadata| metadata.permissions());
        context.store().write_config(&target, document.to_string().as_bytes())?;
        // Others that could read the file still can.
        if let Ok(permissions) = permissions {
            std::fs::set_permissions(&target, permissions)?;
        }
        Ok(())
    };
    write().map_err(|source| {
        let mut document = DocumentMut::new();
        let _ = fill(&mut document, context, header);
        CliError::NotRecorded { path: path.clone(), lines: document.to_string(), source }
    })
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
    let pkcs11 = table(document.as_table_mut(), "identity")
        .and_then(|identity| table(identity, "pkcs11"))
        .zip(module.to_str());
    if let Some((pkcs11, module)) = pkcs11 {
        set(pkcs11, "module", module);
    }
    Ok(document.to_string())
}

/// Its errors could quote what is in the file; those of [`Config`] do not.
fn parse(text: &str) -> Result<DocumentMut, CliError> {
    Config::parse(text)?;
    Ok(text.parse().unwrap_or_default())
}

fn fill(document: &mut DocumentMut, context: &Context, header: &Header) -> Option<()> {
    let identity = table(document.as_table_mut(), "identity")?;
    set(identity, "backend", header.backend().as_str());
    set(identity, "did", header.did().as_str());
    if header.backend() == BackendKind::Pkcs11 {
        let config = context.config.identity.pkcs11.as_ref()?;
        let locator = header.locator()?;
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
            let key = config.key.clone().unwrap_or_default().at(locator);
            set(pkcs11, "key", key.to_string());
        }
    }
    if let Some(object) = header.tpm() {
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
    let name: String = object.parent.name.iter().map(|byte| format!("{byte:02x}")).collect();
    set(tpm, "parent_name", name);
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
