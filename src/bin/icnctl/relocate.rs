//! `icnctl id relocate`

use std::path::Path;

use icn_identity::Did;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{BackendKind, Pkcs11Locator};

use crate::args::id::RelocateArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::{pin_config, show};

/// Looks for the key of the identity's DID on every token, opens it there, and
/// records where it is.
pub(crate) fn relocate(context: &Context, args: &RelocateArgs) -> Result<(), CliError> {
    let store = context.store();
    let header = store.header()?;
    store.check(&header, context.config.identity.backend, context.pinned())?;
    if header.backend() != BackendKind::Pkcs11 {
        return Err(CliError::OptionForPkcs11 { option: "relocate" });
    }
    let (moved, locator) = search(context, header.did(), args.module.as_deref())?;

    let backend = moved.backend()?;
    let identity = store.locate_at(backend.as_ref(), &locator, context.pinned())?;
    let given = moved.credentials(&identity)?;
    let changed = identity.prepare_relocation(&given.credentials).map_err(CliError::from);
    let header =
        given.used(&store, changed.and_then(|change| pin_config::change(&moved, change)))?;
    context.format.print(
        || show::as_json(&header, &show::Device::JustMade),
        || format!("The key is at {locator}.\n"),
    )
}

/// Where the key of a DID is now, and the configuration for it there. No PIN is
/// used.
pub(crate) fn search(
    context: &Context,
    did: &Did,
    module: Option<&Path>,
) -> Result<(Context, Pkcs11Locator), CliError> {
    let mut config = context.pkcs11(module)?;
    let uri = context.key.clone().unwrap_or_default();
    let locator = Pkcs11Backend::search(&config.module, did, &uri)?;
    config.token = Some(locator.token.clone());
    config.serial = Some(locator.serial.clone());
    config.key = config.key.map(|key| key.at(&locator));
    config.slot = None;
    let mut moved = context.clone();
    moved.key = None;
    moved.config.identity.pkcs11 = Some(config);
    Ok((moved, locator))
}
