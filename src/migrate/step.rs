//! A step that is done: the journal says so before the next one begins.

use crate::error::Error;
use crate::home::Home;
use crate::keystore::{Journal, MigrationState};

pub(super) fn to(
    home: &Home,
    mut journal: Journal,
    state: MigrationState,
) -> Result<Journal, Error> {
    journal.state = state;
    home.store().write_journal(&journal)?;
    Ok(journal)
}
