//! `icnctl id relocate`

use std::path::Path;

use icn_identity::Did;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{BackendKind, Pkcs11Locator};

use crate::args::id::RelocateArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::show;

/// Looks for the key of the identity's DID on every token, opens it there, and
/// records where it is.
pub(crate) fn relocate(context: &Context, args: &RelocateArgs) -> Result<(), CliError> {
    let header = context.header()?;
    if header.backend() != BackendKind::Pkcs11 {
        return Err(CliError::OptionForPkcs11 { option: "relocate" });
    }
    let (moved, locator) = search(context, header.did(), args.module.as_deref())?;

    let home = moved.home()?.moved_to(locator.clone());
    let identity = home.locate()?;
    let source = moved.source_of(&identity);
    let header = identity.ask(source)?.relocate()?;
    context.format.print(
        || show::as_json(&header, &show::Device::JustMade),
        || format!("The key is at {locator}.\n"),
    )
}

/// Where the key of a DID is now, by the module that is named. No PIN is used.
pub(crate) fn search(
    context: &Context,
    did: &Did,
    module: Option<&Path>,
) -> Result<(Context, Pkcs11Locator), CliError> {
    let config = context.pkcs11(module)?;
    let uri = context.key.clone().unwrap_or_default();
    let locator = Pkcs11Backend::search(&config.module, did, &uri)?;
    let mut moved = context.clone();
    moved.key = None;
    moved.config.identity.pkcs11 = Some(config);
    Ok((moved, locator))
}
