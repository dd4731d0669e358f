//! What was written down of a move that can never be gone on with, taken back.

use crate::error::Error;
use crate::home::Home;

/// Nothing is made yet. A backup that was made stays.
pub(super) fn take_back(home: &Home) -> Result<(), Error> {
    let store = home.store();
    let _locks = store.locks_of_both()?;
    home.forget_unreadable_refusals()?;
    Home::remove_files_of(&store.staging())?;
    Ok(store.remove_journal()?)
}
