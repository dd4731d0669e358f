//! Records in `icn.toml` what `id init` decided, and pins the DID there.

use std::io;

use icn_identity::backend::BackendKind;
use icn_identity::keystore::{Header, write_private};
use toml_edit::{DocumentMut, Item, Table, value};

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
        write_private(&target, document.to_string().as_bytes())?;
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
    identity.insert("backend", value(header.backend().as_str()));
    identity.insert("did", value(header.did().as_str()));
    if header.backend() == BackendKind::Pkcs11 {
        let config = context.config.identity.pkcs11.as_ref()?;
        let locator = header.locator()?;
        let pkcs11 = table(identity, "pkcs11")?;
        pkcs11.insert("module", value(config.module.to_str()?));
        pkcs11.insert("token", value(&locator.token));
        pkcs11.insert("serial", value(&locator.serial));
        pkcs11.insert("key_label", value(&locator.label));
        if config.slot.is_none() {
            // A key that has moved is no longer in the slot it was in.
            pkcs11.remove("slot");
        }
        if pkcs11.contains_key("key") {
            let key = config.key.clone().unwrap_or_default().at(locator);
            pkcs11.insert("key", value(key.to_string()));
        }
    }
    Some(())
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
