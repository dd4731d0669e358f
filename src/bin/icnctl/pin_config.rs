//! Records in `icn.toml` what `id init` decided, and pins the DID there.

use std::io;

use icn_identity::backend::{BackendKind, TpmObject};
use icn_identity::keystore::Header;
use toml_edit::{DocumentMut, Item, Table, Value};

use crate::context::Context;
use crate::error::CliError;

/// Keeps what else is in the file, comments too.
pub(crate) fn record(context: &Context, header: &Header) -> Result<(), CliError> {
    let path = &context.config_path;
    let write = || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
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
