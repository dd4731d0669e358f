//! A rollback that leads nowhere, turned round: the old identity, which would stay, does not open
//! any more, and nothing of the new one is removed yet.

use super::operator::Operator;
use super::stay;
use super::step;
use crate::error::{Error, MigrationError};
use crate::home::Home;
use crate::keystore::{Journal, MigrationState, check_side};

/// The migration goes on from where the new identity was whole. While the old one opens, a
/// rollback is only gone on with.
pub(super) fn turn_round(
    home: &Home,
    operator: &mut dyn Operator,
    journal: Journal,
) -> Result<Journal, Error> {
    let store = home.store();
    let rolling_back = || -> Result<Journal, Error> {
        Err(MigrationError::RollingBack { home: store.home().to_owned() }.into())
    };
    // Not decided yet, it is the new one that is in use, and the old one is kept.
    let (old, new, next) = match journal.state {
        MigrationState::Returning => (home.previous()?, store.clone(), MigrationState::Switched),
        _ => (home.reread()?, store.staging(), MigrationState::Made),
    };
    stay::check_places(store, &journal)?;
    if journal.key_removed || !stay::is_whole(&new)? {
        return rolling_back();
    }
    check_side(&journal, &journal.to, &new)?;
    check_side(&journal, &journal.from, old.store())?;
    match stay::prove_hands_over(&old, operator) {
        Ok(()) => return rolling_back(),
        Err(error) if stay::is_of_the_caller(&error) => return Err(error),
        Err(error) => log::warn!("the migration is gone on with, and not undone: {error}"),
    }
    if let Some(did) = &journal.to.did {
        let _lock = old.store().lock()?;
        old.store().take_up(did)?;
    }
    step::to(home, journal, next)
}
