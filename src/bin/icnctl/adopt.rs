//! The key that `--key` names, on the configured module.

use icn_identity::Did;
use icn_identity::backend::Pkcs11Locator;

use crate::args::DeviceArgs;
use crate::context::Context;
use crate::error::CliError;

/// What `--key` (or `key` in `icn.toml`) names.
pub(crate) enum Named {
    /// A token at most: a key is to be made.
    NoKey,
    /// A key that its token shows.
    #[cfg_attr(not(feature = "pkcs11"), expect(dead_code, reason = "found by that backend"))]
    Shown(Pkcs11Locator, Did),
    /// A key that its token may show within a login.
    #[cfg(feature = "pkcs11")]
    Hidden,
}

/// Looks for it. A key's algorithm is what it is. No PIN is used.
#[cfg(feature = "pkcs11")]
pub(crate) fn named(context: &Context, args: &DeviceArgs) -> Result<Named, CliError> {
    use icn_identity::backend::BackendKind;
    use icn_identity::backend::pkcs11::Pkcs11Backend;
    use icn_identity::error::Pkcs11Error;

    let config = context.config.identity.pkcs11.as_ref();
    let config = config.filter(|_| context.config.identity.backend == BackendKind::Pkcs11);
    let Some((config, key)) = config.and_then(|config| Some((config, config.key.as_ref()?))) else {
        return Ok(Named::NoKey);
    };
    if !key.names_a_key() {
        return Ok(Named::NoKey);
    }
    let backend = Pkcs11Backend::open(config)?;
    let locator = match backend.locate(key) {
        Ok(locator) => locator,
        // By its name the PIN is meant for this token, whatever it shows.
        Err(Pkcs11Error::NoKey { .. }) if key.names_a_token() || !backend.shows_a_key()? => {
            return Ok(Named::Hidden);
        }
        Err(error) => return Err(error.into()),
    };
    let did = did_of(args, &backend.public_key(&locator)?)?;
    Ok(Named::Shown(locator, did))
}

#[cfg(not(feature = "pkcs11"))]
pub(crate) fn named(_: &Context, _: &DeviceArgs) -> Result<Named, CliError> {
    Ok(Named::NoKey)
}

/// An identity around a key that is shown within a login only.
#[cfg(feature = "pkcs11")]
pub(crate) fn hidden(
    home: &mut icn_identity::home::Home,
    args: &DeviceArgs,
    source: icn_identity::home::CredentialSource<'_>,
) -> Result<icn_identity::home::Made, CliError> {
    use icn_identity::backend::BackendKind;
    use icn_identity::error::DeviceError;

    let config = home.config().identity.pkcs11.clone();
    let key = config.and_then(|config| config.key).unwrap_or_default();
    let mut not_it = None;
    let adopted = home.adopt_within_login(
        |token| {
            let locator = token.locate(&key)?;
            let public = token.public_key(&locator)?;
            did_of(args, &public).map(|did| (locator, did)).map_err(|error| {
                not_it = Some(error);
                let (backend, algorithm) = (BackendKind::Pkcs11, public.algorithm());
                DeviceError::NoAlgorithm { backend, algorithm }.into()
            })
        },
        source,
    );
    match not_it {
        Some(error) => Err(error),
        None => Ok(adopted?),
    }
}

#[cfg(feature = "pkcs11")]
fn did_of(args: &DeviceArgs, key: &icn_identity::VerifyingKey) -> Result<Did, CliError> {
    let found = key.algorithm();
    if let Some(demanded) = args.algorithm()
        && demanded != found
    {
        return Err(CliError::OtherAlgorithm { found, demanded });
    }
    Ok(Did::from_key(args.did_method(found)?, key)?)
}
