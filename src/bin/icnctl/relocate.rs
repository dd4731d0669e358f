//! `icnctl id relocate`, and putting a public key back

use std::path::Path;

use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Backend as _, BackendKind, Pkcs11Locator, Pkcs11Uri};
use icn_identity::config::Pkcs11Config;
use icn_identity::error::{DeviceError, Pkcs11Error};
use icn_identity::evidence::DeviceIdentity;
use icn_identity::home::{Home, Wanted};
use icn_identity::keystore::Header;
use icn_identity::migrate::Migration;
use icn_identity::{Did, Error};

use crate::args::id::RelocateArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::show;

/// Looks for the key of the identity's DID on every token, opens it there, and
/// records where it is.
pub(crate) fn relocate(context: &Context, args: &RelocateArgs) -> Result<(), CliError> {
    Migration::check_none_before_switch(&context.store())?;
    let header = context.header()?;
    if header.backend() != BackendKind::Pkcs11 {
        let (command, backend) = ("`id relocate`", header.backend());
        return Err(CliError::OnlyForTokens { command, backend });
    }
    let (header, locator) = match search(context, header.did(), args.module.as_deref()) {
        Ok((moved, locator)) => {
            let home = moved.home()?.moved_to(locator.clone());
            let identity = home.locate()?;
            let source = moved.source_of(&identity);
            (identity.ask(source)?.relocate()?, locator)
        }
        Err(error) => match hiding(context, args.module.as_deref(), &header, &error)? {
            Some((home, wanted)) => home.relocate_within_login(context.source(wanted.as_ref()))?,
            None => return Err(error),
        },
    };
    context.format.print(
        || show::as_json(context, &header, &show::Device::JustMade),
        || format!("The key is at {locator}.\n"),
    )
}

/// Has it known which token shows the key, now that nobody is logged in any more.
pub(crate) fn record_shown(home: &mut Home) {
    if let Err(error) = home.record_shown() {
        let path = home.config_path().display();
        log::warn!("that the token shows the key could not be recorded in {path}: {error}");
    }
}

/// `icnctl id write-public-key`
pub(crate) fn write_public_key(context: &Context) -> Result<(), CliError> {
    if context.key.as_ref().is_some_and(Pkcs11Uri::names_a_token) {
        return write_public_key_to_named(context);
    }
    let mut home = context.home()?;
    let identity = home.locate()?;
    let header = identity.header().clone();
    let Some(locator) = header.locator() else {
        let (command, backend) = ("`id write-public-key`", header.backend());
        return Err(CliError::OnlyForTokens { command, backend });
    };
    let source = context.source_of(&identity);
    identity.write_public_key(source)?;
    record_shown(&mut home);
    context.format.print(
        || show::as_json(context, &header, &show::Device::JustMade),
        || format!("The public key of {} is on the token, at {locator}.\n", header.did()),
    )
}

/// To the token that `--key` names, wherever the key was before.
fn write_public_key_to_named(context: &Context) -> Result<(), CliError> {
    let header = context.header()?;
    let Some(before) = header.locator() else {
        let (command, backend) = ("`id write-public-key`", header.backend());
        return Err(CliError::OnlyForTokens { command, backend });
    };
    let mut named = context.clone();
    named.config.identity.pkcs11 = Some(anywhere(context, None)?);
    let home = named.home()?;
    let wanted = home.wants_for_new()?.pin().cloned();
    let locator = home.write_public_key_within_login(context.source(wanted.as_ref()))?;
    let moved = match locator == *before {
        true => "",
        false => "Record that the key is there: icnctl id relocate\n",
    };
    context.format.print(
        || show::as_json(context, &header, &show::Device::JustMade),
        || format!("The public key of {} is on the token, at {locator}.\n{moved}", header.did()),
    )
}

/// The module, and no token but the one that `--key` names.
fn anywhere(context: &Context, module: Option<&Path>) -> Result<Pkcs11Config, CliError> {
    let mut config = context.pkcs11(module)?;
    (config.token, config.serial, config.slot) = (None, None, None);
    config.key_shown = false;
    config.key = Some(context.key.clone().unwrap_or_default());
    Ok(config)
}

/// Where the key of a DID is now, by the module that is named. No PIN is used.
pub(crate) fn search(
    context: &Context,
    did: &Did,
    module: Option<&Path>,
) -> Result<(Context, Pkcs11Locator), CliError> {
    let config = context.pkcs11(module)?;
    let uri = context.key.clone().unwrap_or_default();
    let locator = Pkcs11Backend::search(&config, did, &uri)?;
    let mut moved = context.clone();
    moved.key = None;
    moved.config.identity.pkcs11 = Some(config);
    Ok((moved, locator))
}

/// The one token that may show the key within a login, where nothing was found
/// without one. If several could, the PIN is sent to none of them; nor, unless it is
/// named, to a token that shows other keys, which most likely shows this one too, or to
/// a stranger's: the PIN is not its own.
pub(crate) fn hiding(
    context: &Context,
    module: Option<&Path>,
    header: &Header,
    error: &CliError,
) -> Result<Option<(Home, Option<Wanted>)>, CliError> {
    let not_found = matches!(
        error,
        CliError::Identity(Error::Device(DeviceError::Pkcs11(Pkcs11Error::NotFound { .. })))
    );
    if !not_found {
        return Ok(None);
    }
    let mut config = anywhere(context, module)?;
    // No token at all, or several: that the key was not found says more.
    let is_named = context.key.as_ref().is_some_and(Pkcs11Uri::names_a_token);
    let one = Pkcs11Backend::open(&config).ok();
    let Some(token) = one.and_then(|one| may_hide_keys(&one, is_named)) else {
        return Ok(None);
    };
    // One that has shown the key shows it still: a token that does not is another one, whatever
    // it is called.
    let has_shown = header.locator().is_some_and(|before| before.shown)
        || context.config.identity.pkcs11.as_ref().is_some_and(|pkcs11| pkcs11.key_shown);
    let is_likely = !has_shown && header.locator().is_some_and(|before| may_be(&token, before));
    if !is_named && !is_likely {
        return Ok(None);
    }
    // Another may be there by the time that the PIN is sent.
    (config.token, config.serial) = (Some(token.label), Some(token.serial));
    let mut one = context.clone();
    one.key = None;
    one.config.identity.pkcs11 = Some(config);
    let home = one.home()?;
    let wanted = home.wants_for_new()?.pin().cloned();
    Ok(Some((home, wanted)))
}

/// The one token that is there, if it is named or shows no key.
fn may_hide_keys(one: &Pkcs11Backend, is_named: bool) -> Option<DeviceIdentity> {
    let token = one.describe().device?;
    (is_named || !one.shows_a_key().ok()?).then_some(token)
}

/// Whether a token is, by its names, the one where the key was: restored it has
/// another serial number, and a card takes its label from its certificate.
fn may_be(token: &DeviceIdentity, before: &Pkcs11Locator) -> bool {
    // Some modules have one number for all of their tokens.
    let says_something = token.serial.chars().any(|digit| digit != '0');
    let same_label = !token.label.is_empty() && token.label == before.token;
    same_label || (says_something && token.serial == before.serial)
}
