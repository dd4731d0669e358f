//! The statement by which the old key hands over to the new one, and what becomes of it.

use super::operator::Operator;
use super::plan::reason;
use super::request::MigrationRequest;
use super::stay;
use super::step;
use crate::did::Did;
use crate::error::{Error, MigrationError};
use crate::file::{self, names};
use crate::home::Home;
use crate::keystore::{
    Earlier, HandingOver, IdentityStore, Journal, MigrationMode, MigrationState, check_did,
};
use crate::rotation::{RotationChain, RotationTerms};

/// What leads peers from the old DID to the new one, by both keys.
pub(super) fn state(
    home: &Home,
    request: &MigrationRequest,
    operator: &mut dyn Operator,
    mut journal: Journal,
) -> Result<Journal, Error> {
    let staging = home.staging(None)?;
    let new = staging.locate()?;
    check_did(&journal.to, new.did())?;
    let (old, did) = (home.header()?, new.did().clone());
    // It is written over, and stands again if this is undone.
    if let Some(before) = home.store().handed_over(old.did())?
        && *before.current() != did
    {
        journal.handed_over_before = String::from_utf8(before.to_json()).ok();
        home.store().write_journal(&journal)?;
        keep(&home.store().staging(), &before)?;
    }
    let [was, is] = [&old, new.header()].map(|side| side.claimed_evidence().provenance());
    let mut terms = RotationTerms::new(reason(was, is));
    if let Some(next) = journal.commit_next {
        terms = terms.commit_to(next);
    }
    let again = request.again || journal.again;
    let earlier = if again { Earlier::NeverGivenOut } else { Earlier::Binds };
    let handing_over = match hand_over(home, &did, earlier, operator) {
        Err(error) if stay::is_of_the_caller(&error) || matches!(error, Error::Rotation(_)) => {
            return Err(error);
        }
        Err(error) if request.unstated => {
            log::warn!("the old identity signs no statement, as it does not open: {error}");
            // Unless it was made before: then the new identity gets it.
            let stated = home.store().handed_over(old.did())?;
            match stated.filter(|chain| *chain.current() == did) {
                // Or the new identity has it already, and a rollback that was begun has removed the
                // note of it.
                None => {
                    let of_new = operator.new_credential(&new.wants());
                    let chain = new.ask(of_new)?.unlock_without_renewal()?.rotation_chain()?;
                    match chain.filter(|chain| chain.last().old().did() == old.did()) {
                        Some(chain) => {
                            let _lock = home.store().lock()?;
                            let note = home.store().home().join(names::HANDED_OVER);
                            file::write(&note, &chain.to_json())?;
                        }
                        None => journal.unstated = true,
                    }
                }
                Some(chain) => {
                    let of_new = operator.new_credential(&new.wants());
                    let decrypts = new.ask(of_new)?.with(|located, credentials| {
                        located.take_over_as_stated(credentials, &chain)
                    })?;
                    journal.not_carried = !decrypts;
                }
            }
            journal.proved = Some(staging.store().digest()?);
            return step::to(home, journal, MigrationState::Stated);
        }
        Err(error) => {
            let (home, kind, source) = (home.directory().to_owned(), error.kind(), error.into());
            return Err(MigrationError::CannotState { home, is_made: true, kind, source }.into());
        }
        Ok(handing_over) => handing_over,
    };
    let of_new = operator.new_credential(&new.wants());
    let new = new.ask(of_new)?;
    // What was encrypted to the old identity opens with the new one.
    let handover = new.take_over(handing_over.carrying_decryption_key(), &terms)?;
    log::debug!("handed over to {}", handover.chain.current());
    journal.proved = Some(staging.store().digest()?);
    step::to(home, journal, MigrationState::Stated)
}

/// The old identity, open, to hand over to the new one.
fn hand_over(
    home: &Home,
    new: &Did,
    earlier: Earlier,
    operator: &mut dyn Operator,
) -> Result<HandingOver, Error> {
    let old = home.locate()?;
    let source = operator.old_credential(&old.wants());
    old.ask(source)?
        .with(|located, credentials| located.prepare_handover_as_moved(credentials, new, earlier))
}

/// The statement to a key that is given up. If nobody was given it, the old identity is as if
/// it had made none since it was begun; otherwise it stays, and it is written down that it leads nowhere.
pub(super) fn leave(store: &IdentityStore, journal: &Journal) -> Result<(), Error> {
    let (Some(old), Some(new)) = (&journal.from.did, &journal.to.did) else { return Ok(()) };
    if journal.mode != MigrationMode::Rotate || journal.unstated {
        return Ok(());
    }
    if journal.was_in_use {
        return Ok(store.give_up(new)?);
    }
    match (store.handed_over(old)?, &journal.handed_over_before) {
        (Some(chain), Some(before)) if chain.current() == new => {
            // That one was in use, or may have been.
            Ok(file::write(&store.home().join(names::HANDED_OVER), before.as_bytes())?)
        }
        (Some(chain), None) if chain.current() == new => {
            Ok(file::remove(&store.home().join(names::HANDED_OVER))?)
        }
        _ => Ok(()),
    }
}

/// Beside the journal, which may be lost: the statement that is written over next, in the new
/// identity's directory, which is removed at either end.
fn keep(staging: &IdentityStore, before: &RotationChain) -> Result<(), Error> {
    let json = before.to_json();
    Ok(file::write(&staging.aside(names::HANDED_OVER, &json), &json)?)
}

/// The statement of `old` that was written over, if there is one and no more: JSON.
pub(super) fn kept(staging: &IdentityStore, old: &Did, new: &Did) -> Result<Option<String>, Error> {
    let mut found = Vec::new();
    for path in staging.put_aside(names::HANDED_OVER) {
        let Some(json) = file::read_private(&path)? else { continue };
        let Ok(chain) = RotationChain::from_json(&json) else { continue };
        if chain.last().old().did() == old && chain.current() != new {
            found.extend(String::from_utf8(json));
        }
    }
    Ok(found.pop().filter(|_| found.is_empty()))
}
