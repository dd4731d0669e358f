//! A token that was given another label between two steps, or that is reached by another module
//! now: it is known by its serial number, and the migration goes on with it.

use super::operator::Operator;
use super::request::MigrationRequest;
use crate::backend::BackendKind;
use crate::config::Config;
use crate::error::Error;
use crate::file::{self, names};
use crate::home::Home;
use crate::keystore::{Journal, MigrationState, TokenKey, check_did};

/// The old identity, as long as it is in use: where its key is is recorded anew, and the home is
/// the one that finds it there.
pub(super) fn follow_old(
    home: &Home,
    mut journal: Journal,
    operator: &mut dyn Operator,
) -> Result<(Option<Home>, Journal), Error> {
    if !is_before_switch(&journal) || journal.from.backend != BackendKind::Pkcs11 {
        return Ok((None, journal));
    }
    let Some(moved) = home.by_serial() else { return Ok((None, journal)) };
    let identity = moved.locate()?;
    check_did(&journal.from, identity.did())?;
    log::warn!("the token of the old key has another label now, which is recorded");
    let source = operator.old_credential(&identity.wants());
    let header = identity.ask(source)?.relocate_in_move()?;
    journal.old_key = TokenKey::of(&header);
    home.store().write_journal(&journal)?;
    Ok((Some(home.reread()?), journal))
}

/// The new identity, before it is in use. Its files are written once more for that: so what they
/// were proved to be, they are to be proved again.
pub(super) fn follow_new(
    home: &Home,
    mut journal: Journal,
    operator: &mut dyn Operator,
) -> Result<Journal, Error> {
    let store = home.store();
    let staging = store.staging();
    if !is_before_switch(&journal) || !is_on_token(home, &journal)? {
        return Ok(journal);
    }
    staging.put_back_cut_off()?;
    let of = home.staging(None)?;
    let Some(at) = of.renamed() else { return Ok(journal) };
    log::warn!("the token of the new key has another label now, which is recorded");
    let header = staging.header_alone().ok().flatten();
    let before = match header.as_ref().and_then(TokenKey::of) {
        Some(key) => Some(key.token),
        None => staging.noted_objects()?.map(|names| names.token),
    };
    if let Some(label) = before
        && label != at.token
        && !journal.new_token_before.contains(&label)
    {
        journal.new_token_before.push(label);
    }
    if !staging.is_whole()? {
        store.write_journal(&journal)?;
        of.note_renamed(&at)?;
        // It is noted there, too.
        return Ok(store.journal()?.unwrap_or(journal));
    }
    if journal.state > MigrationState::Made {
        journal.state = MigrationState::Made;
        journal.proved = None;
    }
    store.write_journal(&journal)?;
    let moved = of.found_at(at);
    let identity = moved.locate()?;
    check_did(&journal.to, identity.did())?;
    let source = operator.new_credential(&identity.wants());
    let header = identity.ask(source)?.relocate()?;
    if journal.to.did.is_some() {
        journal.new_key = TokenKey::of(&header);
        store.write_journal(&journal)?;
    }
    Ok(journal)
}

/// The module that is asked for, where it is another file by now: which token is meant does not
/// change with it.
pub(super) fn follow_module(
    home: &Home,
    journal: &mut Journal,
    request: &MigrationRequest,
) -> Result<(), Error> {
    let asked = request.to.identity.pkcs11.as_ref().map(|asked| &asked.module);
    let (Some(module), true) = (asked, is_on_token(home, journal)?) else { return Ok(()) };
    let store = home.store();
    let found = store.staged_config()?.and_then(|config| config.identity.pkcs11);
    if found.is_none_or(|found| found.module == *module) {
        return Ok(());
    }
    let path = store.staging().home().join(names::CONFIG);
    let text = Config::read(&path)?.unwrap_or_default();
    let text = Config::edit(&text, |config| {
        if let Some(pkcs11) = &mut config.identity.pkcs11 {
            pkcs11.module.clone_from(module);
        }
    })?;
    file::write(&path, text.as_bytes())?;
    journal.new_module = Some(module.clone());
    Ok(store.write_journal(journal)?)
}

/// Whether the token of the new key may be asked for by this label.
pub(super) fn is_called(journal: &Journal, home: &Home, label: &str) -> Result<bool, Error> {
    if journal.new_token_before.iter().any(|before| before == label) {
        return Ok(true);
    }
    if !is_before_switch(journal) || !is_on_token(home, journal)? {
        return Ok(false);
    }
    let staging = home.staging(None)?;
    // Cut off when that was being recorded, the configuration says it alone.
    let configured = staging.config().identity.pkcs11.as_ref().and_then(|it| it.token.as_deref());
    Ok(staging.renamed().is_some_and(|at| at.token == label || configured == Some(label)))
}

fn is_before_switch(journal: &Journal) -> bool {
    journal.state <= MigrationState::Switching
}

fn is_on_token(home: &Home, journal: &Journal) -> Result<bool, Error> {
    let config = home.store().staging().home().join(names::CONFIG);
    Ok(journal.to.backend == BackendKind::Pkcs11 && file::is_there(&config)?)
}
