//! The new key on its token, of which a migration that is undone lets go.

use crate::backend::BackendKind;
use crate::error::{Error, MigrationError};
use crate::file::{self, names};
use crate::home::{Home, KeyLeft, OnToken};
use crate::keystore::{IdentityStore, Journal, MigrationState};
use crate::migrate::stay;

/// Where the new key is.
pub(super) fn key_now(home: &Home, journal: &Journal) -> Result<Option<OnToken>, Error> {
    match journal.state {
        MigrationState::Switched => Ok(key_in_use(home, journal)?.map(|(_, key)| key)),
        MigrationState::Finishing => Ok(None),
        _ => Ok(new_key_of(home, !journal.key_removed)?.map(|(_, key)| key)),
    }
}

/// Where nothing names a key: whether one was made all the same, by how far it was.
pub(super) fn is_lost(store: &IdentityStore, journal: &Journal) -> Result<bool, Error> {
    use MigrationState as S;
    if journal.to.backend != BackendKind::Pkcs11 || journal.key_removed {
        return Ok(false);
    }
    Ok(match journal.state {
        S::Planned | S::Switched | S::Finishing => false,
        // It may have been begun, and what says so is beside this.
        S::BackedUp => {
            journal.new_key.is_some()
                || !file::is_there(&store.staging().home().join(names::CONFIG))?
        }
        S::Made | S::Proved | S::Stated | S::Switching | S::Returning => true,
        S::RollingBack => journal.to.did.is_some() || journal.new_key.is_some(),
    })
}

/// That no key was begun of which only the journal tells: nothing is left by which it could be
/// removed, and no other one is made beside it.
pub(in crate::migrate) fn check_begun(
    store: &IdentityStore,
    journal: &Journal,
) -> Result<(), Error> {
    let staging = store.staging();
    let is_begun = journal.state == MigrationState::BackedUp && journal.new_key.is_some();
    if !is_begun || stay::is_whole(&staging)? || staging.noted_objects()?.is_some() {
        return Ok(());
    }
    Err(new_lost(store, journal))
}

pub(super) fn new_lost(store: &IdentityStore, journal: &Journal) -> Error {
    let staging = store.staging().home().to_owned();
    let key = journal.new_key.as_ref().map(|key| KeyLeft::of(key, None).to_string());
    MigrationError::NewLost { staging, key }.into()
}

/// The key of the new identity once it is in use, by a configuration that names its device: the
/// one in use may have been lost, or put back from another time, and the one by which it was made
/// is kept until the end.
pub(super) fn key_in_use(home: &Home, journal: &Journal) -> Result<Option<(Home, OnToken)>, Error> {
    let store = home.store();
    let by = match journal.to.is_reached_by(home.config()) {
        true => None,
        false => store.staged_config()?.filter(|config| journal.to.is_reached_by(config)),
    };
    let of = home.configured_by(by.unwrap_or_else(|| home.config().clone()))?;
    Ok(of.key_on_token(&store.staging(), true)?.map(|key| (of, key)))
}

/// The key of the new identity in its own home, as long as it is not in use.
pub(super) fn new_key_of(home: &Home, whole: bool) -> Result<Option<(Home, OnToken)>, Error> {
    let staging = home.store().staging();
    if !file::is_there(&staging.home().join(names::CONFIG))? {
        return Ok(None);
    }
    let of = home.staging(None)?;
    Ok(of.key_on_token(&staging, whole)?.map(|key| (of, key)))
}

/// The same on a token that has another label now than is written down.
pub(super) fn where_it_is((of, key): (Home, OnToken)) -> (Home, OnToken) {
    match of.renamed() {
        Some(at) => (of.found_at(at.clone()), key.on_renamed(&at)),
        None => (of, key),
    }
}

/// What a device says that is not of its credential: the key is named, and so is the way out.
pub(in crate::migrate) fn stays(error: Error, key: &KeyLeft, is_new: bool) -> Error {
    if stay::is_of_the_caller(&error) {
        return error;
    }
    let (key, kind, source) = (key.to_string(), error.kind(), error.into());
    MigrationError::KeyStays { key, is_new, kind, source }.into()
}
