//! `icnctl id migrate`

mod from_keystore;
mod operator;
mod report;

use std::path::Path;

use icn_identity::Did;
use icn_identity::backend::{BackendKind, NewKey, Pkcs11Uri};
use icn_identity::config::Config;
use icn_identity::error::{
    DeviceError, Error, KeystoreError, MigrationError, Pkcs11Error, WaysOut,
};
use icn_identity::home::Home;
use icn_identity::keystore::IdentityStore;
use icn_identity::keystore::backup::{Backup, BackupRequest};
use icn_identity::migrate::{
    BackupAtEnd, BackupFirst, KeyOnToken, Migrated, Migration, MigrationMode, MigrationRequest,
    MigrationState, MigrationStatus, read_credentials,
};
use icn_identity::rotation::KeyCommitment;
use serde_json::json;

use self::operator::Person;
use crate::args::migrate::{MigrateArgs, Mode, To};
use crate::backup::recovery_keys;
use crate::context::Context;
use crate::error::{Asking, CliError};
use crate::id;
use crate::output::{advise, say};
use crate::safe;
use crate::terminal;

pub(crate) fn migrate(context: &Context, args: &MigrateArgs) -> Result<(), CliError> {
    if args.mode == Mode::Import && args.commit_next.is_some() {
        return Err(CliError::ImportStatesNothing);
    }
    let store = context.store();
    if args.recover {
        return report::recovered(context, &Migration::recover(&store, &context.config_path)?);
    }
    if args.status {
        let status = Migration::status_by_all(&store, &context.config_path)?;
        if status.as_ref().is_some_and(|status| !status.journal_lost) {
            Migration::check_config(&store, &context.config_path)?;
        }
        let part = Migration::part_of(&store)?;
        return report::status(context, status.as_ref(), part.as_ref());
    }
    Migration::check_config(&store, &context.config_path)?;
    let status = Migration::status(&store)?;
    if args.roll_back || args.finish {
        let Some(status) = &status else {
            // Of the old identity that is kept, or of the new one, it is the home's to say.
            return Err(match Migration::check_none(&store) {
                Err(error) if !is_of_lost_journal(&error) => error.into(),
                _ => none_under_way(context),
            });
        };
        let end = if args.roll_back { roll_back } else { finish };
        return end(context, args, status);
    }
    if let (Some(output), None) = (&args.output, &status) {
        // Before anybody is asked for anything.
        Migration::check_backup_output(&store, output)?;
    }
    let keystore = args.from_keystore.as_deref().filter(|_| status.is_none());
    let (context, request) = match (keystore, args.to) {
        (Some(file), Some(to)) => {
            let request = asked(context, args, to)?;
            match from_keystore::import(context, args, file, &request)? {
                Some(imported) => (imported, request),
                None => return Ok(()),
            }
        }
        _ => (context.clone(), requested(context, args, status.as_ref())?),
    };
    let context = &context;
    let old = as_old(context);
    let home = old.home()?;
    if args.plan {
        let plan = Migration::plan(&home, &request).map_err(of_a_new_key)?;
        return report::plan(context, &plan);
    }
    let new = target(context, args, &request, status.as_ref());
    old.check_files()?;
    new.check_files()?;
    let mut person = Person::new(&old, &new);
    let migrated = old.waiting_for_device(|| Migration::run(&home, &request, &mut person));
    let migrated = migrated.map_err(|error| of_the_move(context, error));
    match (&migrated, keystore) {
        (Err(_), Some(file)) => from_keystore::say_what_stays(context, file),
        (Err(_), None) if status.is_none() => say_what_was_begun(context),
        _ => {}
    }
    done(context, &migrated?)
}

/// What is wrong with a token is mended in the middle of a move, when other commands refuse.
fn of_the_move(context: &Context, error: Error) -> CliError {
    let is_of_token = matches!(
        &error,
        Error::Device(DeviceError::Pkcs11(
            Pkcs11Error::NoToken { .. }
                | Pkcs11Error::OtherSerial { .. }
                | Pkcs11Error::NotConfiguredToken { .. }
        ))
    );
    match Migration::status(&context.store()) {
        Ok(Some(status)) if is_of_token && status.state.ways_out() == WaysOut::OnOrBack => {
            CliError::NoTokenOfMove(error)
        }
        _ => of_a_new_key(error),
    }
}

/// A move makes a key, and takes none that is there: what helps then is another thing than with
/// `id init`.
fn of_a_new_key(error: Error) -> CliError {
    match &error {
        Error::Device(DeviceError::Pkcs11(
            Pkcs11Error::LabelTaken { .. } | Pkcs11Error::KeysInSlots { .. },
        )) => CliError::NoNewKey(error),
        _ => error.into(),
    }
}

/// It was cut off, and other commands refuse because of it.
fn say_what_was_begun(context: &Context) {
    let Ok(Some(status)) = Migration::status(&context.store()) else { return };
    if status.state.ways_out() != WaysOut::OnOrBack {
        return;
    }
    say(&format!(
        "note: the move was begun (state: {}), and the old identity is in use; commands that would \
         change it refuse meanwhile",
        status.state
    ));
    advise("go on with it: icnctl id migrate; or undo it: icnctl id migrate --roll-back");
}

fn as_old(context: &Context) -> Context {
    Context { key: None, ..context.as_old() }
}

fn requested(
    context: &Context,
    args: &MigrateArgs,
    status: Option<&MigrationStatus>,
) -> Result<MigrationRequest, CliError> {
    let home = as_old(context).home()?;
    let done_so_far = status.filter(|status| status.state == MigrationState::Switched);
    match (args.to, done_so_far) {
        // What was asked for is done, or something else is under way, which is said.
        (Some(to), Some(done)) => {
            check_same(done, args.mode.into(), to.into())?;
            asked(context, args, to)
        }
        (Some(to), None) => asked(context, args, to),
        (None, _) if status.is_none() && is_lost(context) => Err(none_under_way(context)),
        (None, _) => going_on(&home, args),
    }
}

/// What is done already is not taken for something else that is asked for.
fn check_same(
    done: &MigrationStatus,
    mode: MigrationMode,
    to: BackendKind,
) -> Result<(), MigrationError> {
    let other = |what, found: &str, asked: &str| {
        let (found, asked, ways) = (found.to_owned(), asked.to_owned(), done.state.ways_out());
        Err(MigrationError::Other { what, found, asked, ways })
    };
    if done.to != to {
        return other("the backend", done.to.as_str(), to.as_str());
    }
    if done.mode != mode {
        return other("the mode", done.mode.as_str(), mode.as_str());
    }
    Ok(())
}

/// What the command line asks for.
fn asked(context: &Context, args: &MigrateArgs, to: To) -> Result<MigrationRequest, CliError> {
    let mode = args.mode.into();
    let (backend, device) = (Some(to.into()), &args.device);
    let configured = id::configured(&unkeyed(context, args), backend, device, Asking::Migrate)?;
    if configured.names_a_key() {
        return Err(CliError::NamesAKey);
    }
    let algorithm = device.algorithm().unwrap_or_default();
    let key = NewKey::new(device.did_method(algorithm)?).with_algorithm(algorithm);
    let request = MigrationRequest::new(configured.config, mode, backup(args)?).with_key(key);
    with_terms(request, args)
}

/// Of an identity that is in a device, what names that device and its key is not said of the
/// one that it goes to.
fn unkeyed(context: &Context, args: &MigrateArgs) -> Context {
    let mut context = context.clone();
    if context.config.identity.backend == BackendKind::Tpm
        && let Some(tpm) = &mut context.config.identity.tpm
    {
        tpm.parent_name = None;
    }
    if context.config.identity.backend == BackendKind::Pkcs11
        && let Some(pkcs11) = &mut context.config.identity.pkcs11
    {
        (pkcs11.token, pkcs11.serial, pkcs11.slot, pkcs11.key) = (None, None, None, None);
        if args.device.module.as_ref().is_some_and(|module| *module != pkcs11.module) {
            pkcs11.init_args = None;
        }
    }
    context
}

/// What was written down when it was begun.
fn going_on(home: &Home, args: &MigrateArgs) -> Result<MigrationRequest, CliError> {
    match MigrationRequest::going_on(home) {
        Ok(request) => match backup(args)? {
            // As it was said when it was begun.
            BackupFirst::Unsaid => with_terms(request, args),
            said => with_terms(request.with_backup(said), args),
        },
        Err(error) if args.to.is_none() => match &error {
            Error::Keystore(KeystoreError::Migration(found))
                if matches!(**found, MigrationError::Disagrees { .. }) =>
            {
                Err(error.into())
            }
            _ => Err(CliError::NowhereTo),
        },
        Err(error) => Err(error.into()),
    }
}

fn with_terms(
    mut request: MigrationRequest,
    args: &MigrateArgs,
) -> Result<MigrationRequest, CliError> {
    if let Some(next) = &args.commit_next {
        request = request.commit_to(KeyCommitment::to(Did::parse(next)?.verifying_key()));
    }
    if args.without_statement {
        request = request.although_unstated();
    }
    Ok(if args.again { request.although_handed_over() } else { request })
}

fn backup(args: &MigrateArgs) -> Result<BackupFirst, CliError> {
    let keys = || {
        let file = args.identity_file.as_deref();
        let keys = file.map(|file| recovery_keys(file, args.identity_passphrase_file.as_deref()));
        keys.transpose()
    };
    if let Some(output) = &args.output {
        let recipients: Result<Vec<_>, icn_identity::error::BackupError> =
            args.recipients.iter().map(|recipient| recipient.parse()).collect();
        let request = BackupRequest::new(recipients?)?;
        if let Some(keys) = keys()? {
            request.check_opened_by(&keys)?;
        }
        return Ok(BackupFirst::Make { request, output: output.clone() });
    }
    if let Some(file) = &args.backup {
        Backup::check_file(file)?;
        let keys = keys()?.ok_or(CliError::BackupWithoutKey)?;
        return Ok(BackupFirst::Opened(Backup::read(file, &keys)?.into()));
    }
    Ok(if args.no_backup { BackupFirst::None } else { BackupFirst::Unsaid })
}

/// Whose PIN and passphrase are asked for, of the identity that is to be.
fn target(
    context: &Context,
    args: &MigrateArgs,
    request: &MigrationRequest,
    status: Option<&MigrationStatus>,
) -> Context {
    let from = status.map_or(context.config.identity.backend, |status| status.from);
    let pin = context.pin_file.as_deref();
    context.target(
        request.to(),
        args.to_pin_file.as_deref().or(pin.filter(|_| from == BackendKind::Age)),
        args.to_passphrase_file.as_deref(),
        from == BackendKind::Age,
    )
}

fn roll_back(
    context: &Context,
    args: &MigrateArgs,
    status: &MigrationStatus,
) -> Result<(), CliError> {
    let home = context.home()?;
    let new_key = if args.keep_new_key { KeyOnToken::Keep } else { KeyOnToken::Destroy };
    Migration::check_roll_back(&home, new_key)?;
    let key = Migration::new_key(&home)?;
    let removes = key.filter(|_| new_key == KeyOnToken::Destroy);
    let in_use =
        status.state >= MigrationState::Switched && status.state != MigrationState::RollingBack;
    let copy_of = Migration::may_be_copy(&home)?.filter(|_| removes.is_some());
    // It is whole by then: what was put back from a copy may be of a time before it was in use.
    let may_be_in_use = removes.is_some() && is_ready(status);
    let loses = in_use || may_be_in_use || copy_of.is_some();
    let pin = pin_of_new(context, args, status);
    if let (Some(key), Pin::OfWhich) = (&removes, &pin) {
        return Err(CliError::PinOfWhich { device: format!("token {}", key.token) });
    }
    confirm(args, loses, || {
        let copy_of = copy_of.as_deref();
        report::before_roll_back(status, in_use, removes.as_ref(), new_key, copy_of)
    })?;
    let pin = if let Pin::In(file) = pin { Some(file) } else { None };
    let passphrase = args.to_passphrase_file.as_deref();
    let new = context.target(status.to, pin, passphrase, status.from == BackendKind::Age);
    let mut person = Person::new(&old_at_end(context, status)?, &new);
    let undone = new.waiting_for_device(|| Migration::roll_back(&home, new_key, &mut person))?;
    report::rolled_back(context, status, &undone)
}

/// Whether the new identity may be in use elsewhere, by the journal of a copy.
fn is_ready(status: &MigrationStatus) -> bool {
    match status.mode {
        MigrationMode::Import => status.state >= MigrationState::Proved,
        _ => status.state >= MigrationState::Stated,
    }
}

/// Where the PIN of the device is that it was to go to.
enum Pin<'a> {
    In(&'a Path),
    /// Asked for.
    Nowhere,
    /// A file was named that is of the other device.
    OfWhich,
}

/// `--pin-file` is of the only device that there is, and of two of them of the one that the
/// key moves away from, whichever is in use.
fn pin_of_new<'a>(
    context: &'a Context,
    args: &'a MigrateArgs,
    status: &MigrationStatus,
) -> Pin<'a> {
    let pin = context.pin_file.as_deref();
    let is_in_use = [MigrationState::Switched, MigrationState::Finishing].contains(&status.state);
    match (args.to_pin_file.as_deref(), pin) {
        (Some(file), _) => Pin::In(file),
        (None, None) => Pin::Nowhere,
        (None, Some(file)) if status.from == BackendKind::Age => Pin::In(file),
        // The configuration is that of the new one by then.
        (None, Some(file)) if pin == configured_pin(&context.config) && is_in_use => Pin::In(file),
        (None, Some(_)) if pin == configured_pin(&context.config) => Pin::Nowhere,
        (None, Some(_)) => Pin::OfWhich,
    }
}

fn configured_pin(config: &Config) -> Option<&Path> {
    config.identity.pkcs11.as_ref()?.key.as_ref().and_then(Pkcs11Uri::pin_source)
}

fn none_under_way(context: &Context) -> CliError {
    let home = context.home.clone();
    match Migration::lost_journal(&context.store(), &context.config_path) {
        Ok(Some(_)) => MigrationError::JournalLost { home, from_old: false }.into(),
        Ok(None) => MigrationError::NotUnderWay { home }.into(),
        Err(error) => error.into(),
    }
}

fn is_of_lost_journal(error: &Error) -> bool {
    let Error::Keystore(KeystoreError::Migration(error)) = error else { return false };
    matches!(**error, MigrationError::JournalLost { .. })
}

/// Whether a migration is under way by the files, and not by its journal.
fn is_lost(context: &Context) -> bool {
    matches!(Migration::lost_journal(&context.store(), &context.config_path), Ok(Some(_)))
}

fn finish(context: &Context, args: &MigrateArgs, status: &MigrationStatus) -> Result<(), CliError> {
    let home = context.home()?;
    let backup = match (&args.backup, args.no_backup) {
        (Some(file), _) => BackupAtEnd::At(file.clone()),
        (None, true) => BackupAtEnd::None,
        (None, false) => BackupAtEnd::Intact,
    };
    let old_key = if args.keep_old_key { KeyOnToken::Keep } else { KeyOnToken::Destroy };
    Migration::check_finish(&home, old_key, &backup)?;
    let copy_of = Migration::may_be_copy(&home)?
        .filter(|_| status.from == BackendKind::Pkcs11 && old_key == KeyOnToken::Destroy);
    confirm(args, true, || report::before_finish(context, args, status, copy_of.as_deref()))?;
    let old = old_at_end(context, status)?;
    let mut person = Person::new(&old, &new_at_end(context, args, status));
    let finished = Migration::finish(&home, old_key, &backup, &mut person)?;
    report::finished(context, status, &finished)
}

/// Whose credential opens the old one, or what destroys its key.
fn old_at_end(context: &Context, status: &MigrationStatus) -> Result<Context, CliError> {
    let mut old = context.as_old();
    old.config.identity.backend = status.from;
    if let Some(previous) = &status.previous {
        // What the configuration names by now is of the new one.
        let kept = Config::load(&previous.join("icn.toml"))?;
        let is_configured = old.pin_file.as_deref() == configured_pin(&context.config);
        if is_configured {
            old.pin_file = configured_pin(&kept).map(Path::to_owned);
        }
    }
    Ok(old)
}

/// Whose credential opens the new one, which stays. `--pin-file` is for the old key, if that is
/// destroyed on another token.
fn new_at_end(context: &Context, args: &MigrateArgs, status: &MigrationStatus) -> Context {
    let token = |home: &Path| {
        let header = IdentityStore::new(home).header().ok()?;
        header.locator().map(|locator| (locator.token.clone(), locator.serial.clone()))
    };
    let new = token(&context.home);
    let old = status.previous.as_deref().and_then(token);
    let is_for_old = status.from == BackendKind::Pkcs11 && !args.keep_old_key;
    let pin = context.pin_file.as_deref();
    let is_for_new = !is_for_old || (new.is_some() && new == old);
    let is_configured = pin.is_some() && pin == configured_pin(&context.config);
    let pin = pin.filter(|_| is_for_new || is_configured);
    let (pin, passphrase) =
        (args.to_pin_file.as_deref().or(pin), args.to_passphrase_file.as_deref());
    context.target(status.to, pin, passphrase, is_for_new)
}

/// Asks, where there is something to lose and nobody has said yes already.
fn confirm(args: &MigrateArgs, loses: bool, what: impl FnOnce() -> String) -> Result<(), CliError> {
    if !loses || args.yes {
        return Ok(());
    }
    let what = what();
    match terminal::confirms(&safe::lines(&what)) {
        Ok(true) => Ok(()),
        Ok(false) => Err(CliError::NotConfirmed { source: None }),
        Err(source) => {
            // Nobody was told what is to be said yes to.
            say(&what);
            Err(CliError::NotConfirmed { source: Some(source) })
        }
    }
}

/// The identity is another one now, and so is its configuration.
fn done(context: &Context, migrated: &Migrated) -> Result<(), CliError> {
    let config = Config::load(&context.config_path)?;
    let now = Context { config, key: None, ..context.clone() };
    let status = Migration::status(&now.store())?;
    report::done(&now, migrated, status.as_ref())
}

/// What a migration runs in a process of its own.
pub(crate) fn prove(context: &Context) -> Result<(), CliError> {
    let did = Migration::prove_staged(&context.home()?, |wants| match wants.pin() {
        Some(pin) if pin.is_at_pin_pad() => Ok(context.source(Some(pin))),
        _ => read_credentials(Path::new("/dev/stdin")),
    })?;
    context.format.print(|| json!({ "did": did }), || format!("{did}\n"))
}
