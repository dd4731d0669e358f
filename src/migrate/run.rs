//! The steps, each of which is written down and can be done again.

use std::path::PathBuf;

use super::Migration;
use super::backup;
use super::forward;
use super::operator::{Operator, Staged};
use super::plan::{Plan, check_unused};
use super::planned;
use super::renamed;
use super::request::{BackupFirst, MigrationRequest};
use super::roll_back;
use super::same;
use super::statement;
use super::stay;
use super::step;
use crate::backend::BackendKind;
use crate::clock;
use crate::did::DidMethod;
use crate::error::{Error, KeystoreError, MigrationError};
use crate::file::{self, names};
use crate::home::Home;
use crate::keystore::{
    BegunIn, Header, Journal, MigrationMode, MigrationState, Side, TokenKey, check_did,
};
use crate::rotation::RotationChain;

/// A migration that is done, but for its end.
#[derive(Debug)]
#[non_exhaustive]
#[must_use]
pub struct Migrated {
    /// How.
    pub mode: MigrationMode,
    /// The identity that is in use now.
    pub header: Header,
    /// The home of the old one, which stays whole until [`Migration::finish`].
    pub previous: PathBuf,
    /// What leads peers from the old DID to the new one.
    pub chain: Option<RotationChain>,
}

impl Migration {
    /// **Blocks** on devices, scrypt and files, on another process, and while a person is
    /// asked. Moves the identity of a home to another backend, or goes on with that where it
    /// was cut off; until the switch, the old one is in use and whole.
    ///
    /// The home is opened again afterwards, to read the configuration.
    ///
    /// # Errors
    ///
    /// As [`Self::plan`]; [`MigrationError::Other`] if something else is under way;
    /// [`MigrationError::OtherConfig`]; [`MigrationError::Committed`];
    /// [`MigrationError::NewLost`]; [`MigrationError::NotProved`]; [`MigrationError::BackupLost`];
    /// [`MigrationError::NotReady`]; [`MigrationError::NewDoesNotOpen`];
    /// [`MigrationError::DoesNotOpen`] if it is in use already;
    /// [`MigrationError::NotWhole`];
    /// [`MigrationError::CannotState`]; those of each step. What
    /// was done stays, and is gone on with, or [rolled back](Self::roll_back).
    pub fn run(
        home: &Home,
        request: &MigrationRequest,
        operator: &mut dyn Operator,
    ) -> Result<Migrated, Error> {
        // Without a lock's file in a directory that is to be removed; and under it, below.
        home.store().check_not_kept()?;
        let _lock = home.store().migration_lock()?;
        let mut journal = begin(home, request)?;
        let (moved, followed) = renamed::follow_old(home, journal, operator)?;
        let home = moved.as_ref().unwrap_or(home);
        journal = renamed::follow_new(home, followed, operator)?;
        let (mut has_opened, mut is_proved) = (false, false);
        loop {
            journal = match journal.state {
                MigrationState::Planned => {
                    has_opened = true;
                    back_up(home, request, operator, journal)?
                }
                MigrationState::BackedUp => make(home, request, operator, journal, has_opened)?,
                MigrationState::Made => prove(home, operator, journal)?,
                MigrationState::Proved if journal.mode == MigrationMode::Rotate => {
                    statement::state(home, request, operator, journal)?
                }
                MigrationState::Proved | MigrationState::Stated | MigrationState::Switching => {
                    let journal = backup::check_before_switch(home, request, operator, journal)?;
                    // What cannot be exchanged is said before anybody is asked.
                    home.store().check_switch(&journal)?;
                    let locks = stay::prove_new(home, operator)?;
                    is_proved = true;
                    home.store().switch(journal, home.config_path(), locks)?
                }
                MigrationState::Switched => {
                    // Cut off since, or run again: that it is in use is not said of one that does
                    // not open any more.
                    let _lock = match is_proved {
                        true => None,
                        false => Some(stay::prove_in_use(&home.reread()?, operator)?),
                    };
                    return migrated(home, &journal);
                }
                MigrationState::Returning | MigrationState::RollingBack => {
                    let journal = forward::turn_round(home, operator, journal)?;
                    renamed::follow_new(home, journal, operator)?
                }
                MigrationState::Finishing => {
                    let home = home.directory().to_owned();
                    return Err(MigrationError::Finishing { home }.into());
                }
            };
        }
    }
}

/// Before anything is done, it is written down what will be.
fn begin(home: &Home, request: &MigrationRequest) -> Result<Journal, Error> {
    let store = home.store();
    if let Some(mut journal) = store.journal()? {
        check_same(&journal, home, request)?;
        if journal.state <= MigrationState::Switching {
            renamed::follow_module(home, &mut journal, request)?;
        }
        same::check_device(&journal, home, request)?;
        if journal.state < MigrationState::Switching {
            store.check_old_is_whole(&journal)?;
            check_did(&journal.from, home.header()?.did())?;
            roll_back::check_begun(store, &journal)?;
            let _: Plan = Migration::plan(home, request)?;
            // Cut off before it was written down. From the next state on it is there, unless it
            // was lost with what is beside it.
            if journal.state == MigrationState::Planned && store.staged_config()?.is_none() {
                write_config(home, request)?;
            }
            // Nothing was stated: another commitment takes the place of the one before.
            if request.commit_next.is_some() && journal.commit_next != request.commit_next {
                journal.commit_next.clone_from(&request.commit_next);
                store.write_journal(&journal)?;
            }
        }
        return Ok(journal);
    }
    store.check_not_kept()?;
    let _: Plan = Migration::plan(home, request)?;
    if matches!(request.backup, BackupFirst::Unsaid) {
        return Err(MigrationError::NoBackupSaid.into());
    }
    // What is wrong with its device is mended before anything refuses because of the move.
    drop(home.locate()?);
    let header = home.header()?;
    let from = Side { backend: header.backend(), did: Some(header.did().clone()) };
    let (mode, to) = (request.mode, request.to());
    let config = Journal::name_of_config(home.directory(), home.config_path());
    let begun = (clock::now(), BegunIn::of(home.directory())?);
    let mut journal = Journal::new(mode, from, to, config, begun);
    journal.old_key = TokenKey::of(&header);
    let token = request.to.identity.pkcs11.as_ref().filter(|_| to == BackendKind::Pkcs11);
    journal.new_module = token.map(|token| token.module.clone());
    journal.commit_next.clone_from(&request.commit_next);
    backup::note(&mut journal, &request.backup);
    journal.again = request.again;
    journal.algorithm = request.key.algorithm;
    journal.did_key = request.key.did_method == DidMethod::Key;
    store.write_journal(&journal)?;
    // So that nobody has to say it once more.
    write_config(home, request)?;
    Ok(journal)
}

/// What is under way is gone on with, and nothing else is done in its place.
fn check_same(journal: &Journal, home: &Home, request: &MigrationRequest) -> Result<(), Error> {
    let other = |what, found: &str, asked: &str| {
        let (found, asked) = (found.to_owned(), asked.to_owned());
        let ways = journal.state.ways_out();
        Err(MigrationError::Other { what, found, asked, ways }.into())
    };
    journal.check_config(home.directory(), home.config_path())?;
    let (mode, to) = (journal.mode, journal.to.backend);
    if mode != request.mode {
        return other("the mode", mode.as_str(), request.mode.as_str());
    }
    if to != request.to() {
        return other("the backend", to.as_str(), request.to().as_str());
    }
    if journal.algorithm != request.key.algorithm {
        let (found, asked) = (journal.algorithm, request.key.algorithm);
        return other("the algorithm", found.as_str(), asked.as_str());
    }
    // A statement that was signed cannot be changed.
    if let Some(asked) = &request.commit_next
        && journal.commit_next.as_ref() != Some(asked)
        && is_stated(journal, home)?
    {
        let found = journal.commit_next.as_ref().map_or("none".to_owned(), ToString::to_string);
        return other("the commitment", &found, &asked.to_string());
    }
    Ok(())
}

/// The statement may be there, and not be written down.
fn is_stated(journal: &Journal, home: &Home) -> Result<bool, Error> {
    if journal.state >= MigrationState::Stated {
        return Ok(true);
    }
    let Some(old) = &journal.from.did else { return Ok(false) };
    let chain = home.store().handed_over(old)?;
    Ok(chain.is_some_and(|chain| Some(chain.current()) == journal.to.did.as_ref()))
}

/// That of the new identity, in its own home.
fn write_config(home: &Home, request: &MigrationRequest) -> Result<(), Error> {
    let directory = home.store().staging().home().to_owned();
    file::private_dir(&directory)?;
    let text = home.staged_config(&request.to)?;
    Ok(file::write(&directory.join(names::CONFIG), text.as_bytes())?)
}

/// The old identity opens: its credential is right, and what is known by it only is known
/// before anything is made.
fn back_up(
    home: &Home,
    request: &MigrationRequest,
    operator: &mut dyn Operator,
    mut journal: Journal,
) -> Result<Journal, Error> {
    let before = BackupFirst::said(&journal)?;
    let said = match &request.backup {
        BackupFirst::Unsaid => &before,
        said => {
            backup::note(&mut journal, said);
            home.store().write_journal(&journal)?;
            said
        }
    };
    // Before anybody is asked for a secret.
    match said {
        BackupFirst::Make { output, .. } => drop(backup::is_made(home, &journal, output)?),
        BackupFirst::Opened(_) | BackupFirst::None => {}
        BackupFirst::Unsaid if journal.backup_asked.as_ref().is_some_and(|it| it.opened) => {}
        BackupFirst::Unsaid => return Err(MigrationError::NoBackupSaid.into()),
    }
    let identity = home.locate()?;
    let source = operator.old_credential(&identity.wants());
    let opened = identity.ask(source)?.unlock_without_renewal()?;
    if request.mode == MigrationMode::Rotate {
        let chain = opened.rotation_chain()?;
        if chain.as_ref().is_some_and(|chain| chain.commitment().is_some()) {
            let did = opened.bundle.did().clone();
            // No command of the migration leads on from there, and each that does is refused.
            if let Err(error) = planned::take_back(home) {
                log::warn!("what was written down of the migration stays: {error}");
            }
            return Err(MigrationError::Committed { did }.into());
        }
        // Before anything is made that cannot be gone on with.
        if let Some(next) = &journal.commit_next {
            let before = chain.iter().flat_map(RotationChain::dids);
            check_unused(next, before.chain([opened.bundle.did()]))?;
        }
    }
    drop(opened);
    let journal = backup::see_to(home, said, operator, journal)?;
    step::to(home, journal, MigrationState::BackedUp)
}

/// The new identity, whole, in a home of its own.
fn make(
    home: &Home,
    request: &MigrationRequest,
    operator: &mut dyn Operator,
    mut journal: Journal,
    has_opened: bool,
) -> Result<Journal, Error> {
    let store = home.store().staging();
    let header = match store.header() {
        // It was made just before it could be written down.
        Ok(header) => header,
        // Cut off between its two files, it is made anew.
        Err(
            KeystoreError::NoIdentity { .. }
            | KeystoreError::NeverMade { .. }
            | KeystoreError::Incomplete { .. },
        ) => {
            // A key that nobody can hand over to is of no use: since the old identity has opened,
            // its device may be gone. An import opens it anyway.
            if request.mode == MigrationMode::Rotate && !has_opened && !request.unstated {
                stay::prove_hands_over(home, operator)?;
            }
            // What an earlier attempt has left on a token is removed by its configuration.
            match store.noted_objects()? {
                Some(left) => {
                    stay::check_no_copy(home.store(), &journal, &left.to_string(), true)?;
                }
                None => write_config(home, request)?,
            }
            let mut staging = home.staging(None)?;
            let made = match request.mode {
                MigrationMode::Rotate => {
                    let source = operator.new_credential(&staging.wants_for_new()?);
                    staging.create(&request.key, source)?
                }
                MigrationMode::Import => {
                    let identity = home.locate()?;
                    let source = operator.old_credential(&identity.wants());
                    let old = identity.ask(source)?;
                    let label = staging.key_label();
                    let source = operator.new_credential(&staging.wants_for_new()?);
                    staging.create_imported(old, label.as_deref(), source)?
                }
            };
            let header = made.header.clone();
            staging.record_shown_of(made).unwrap_or_else(|error| {
                log::warn!("that the token shows the key could not be recorded: {error}");
                header
            })
        }
        Err(error) => return Err(error.into()),
    };
    journal.to.did = Some(header.did().clone());
    journal.new_key = TokenKey::of(&header);
    step::to(home, journal, MigrationState::Made)
}

fn prove(home: &Home, operator: &mut dyn Operator, mut journal: Journal) -> Result<Journal, Error> {
    let staging = home.staging(None)?;
    let identity = staging.locate()?;
    check_did(&journal.to, identity.did())?;
    let did = identity.did().clone();
    let source = operator.new_credential(&identity.wants());
    identity.ask(source)?.with(|located, credentials| {
        // The credential is right: what the other process says is of something else.
        drop(located.open_without_renewal(credentials)?);
        let staged = Staged { directory: staging.directory(), did: &did, credentials };
        operator
            .prove(&staged)
            .map_err(|source| MigrationError::NotProved { did: did.clone(), source }.into())
    })?;
    // What is switched to is this, and for a rotation what the next step has made of it.
    if journal.mode == MigrationMode::Import {
        journal.proved = Some(staging.store().digest()?);
    }
    step::to(home, journal, MigrationState::Proved)
}

fn migrated(home: &Home, journal: &Journal) -> Result<Migrated, Error> {
    let previous = home.store().old();
    // By the configuration as it is now, without which it does not open.
    let header = home.reread()?.header()?;
    check_did(&journal.to, header.did())?;
    let chain = match (journal.mode, &journal.from.did) {
        (MigrationMode::Rotate, Some(did)) => previous.handed_over(did)?,
        _ => None,
    };
    Ok(Migrated { mode: journal.mode, header, previous: previous.home().to_owned(), chain })
}
