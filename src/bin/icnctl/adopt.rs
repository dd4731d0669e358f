//! The key that `--key` names, on the configured module.

use icn_identity::Did;
use icn_identity::backend::Locator;

use crate::args::InitArgs;
use crate::context::Context;
use crate::error::CliError;

/// Where it is and whose, if `--key` (or `key` in `icn.toml`) names a key and
/// not only a token. Its algorithm is what it is. No PIN is used.
#[cfg(feature = "pkcs11")]
pub(crate) fn named(
    context: &Context,
    args: &InitArgs,
) -> Result<Option<(Locator, Did)>, CliError> {
    use icn_identity::backend::BackendKind;
    use icn_identity::backend::pkcs11::Pkcs11Backend;

    if context.config.identity.backend != BackendKind::Pkcs11 {
        return Ok(None);
    }
    let config = context.config.identity.pkcs11.as_ref();
    let Some((config, key)) = config.and_then(|config| Some((config, config.key.as_ref()?))) else {
        return Ok(None);
    };
    if !key.names_a_key() {
        return Ok(None);
    }
    let backend = Pkcs11Backend::open(config)?;
    let locator = backend.locate(key)?;
    let key = backend.public_key(&locator)?;
    let found = key.algorithm();
    if let Some(demanded) = args.algorithm()
        && demanded != found
    {
        return Err(CliError::OtherAlgorithm { found, demanded });
    }
    let did = Did::from_key(args.did_method(found)?, &key);
    Ok(Some((Locator::Pkcs11(locator), did)))
}

#[cfg(not(feature = "pkcs11"))]
pub(crate) fn named(_: &Context, _: &InitArgs) -> Result<Option<(Locator, Did)>, CliError> {
    Ok(None)
}
