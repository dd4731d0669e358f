//! Before anything of one identity is removed, the other one is proved, and it is looked at
//! whose the directories are.

use super::operator::Operator;
use crate::config::Config;
use crate::error::{Error, ErrorKind, MigrationError, WaysOut};
use crate::file::{self, Lock, names};
use crate::home::{Home, LINK};
use crate::keystore::{IdentityStore, Journal, Located, MigrationMode, MigrationState, Side};

/// The identity that is to stay.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stays {
    New,
    /// And what can be done where it does not open.
    Old(WaysOut),
}

/// Opens the identity that is to stay and signs with it, with its device. Nobody changes its
/// files as long as the lock is held.
pub(super) fn prove(home: &Home, stays: Stays, operator: &mut dyn Operator) -> Result<Lock, Error> {
    let (is_new, ways) = match stays {
        Stays::New => (true, WaysOut::FinishOrBack),
        Stays::Old(ways) => (false, ways),
    };
    let moved = if is_new { None } else { home.by_serial() };
    let mut prove = || -> Result<Lock, Error> {
        let identity = moved.as_ref().unwrap_or(home).locate()?;
        let wants = identity.wants();
        let source = match is_new {
            true => operator.new_credential(&wants),
            false => operator.old_credential(&wants),
        };
        identity.ask(source)?.with(Located::prove)
    };
    prove().map_err(|error| {
        if is_of_the_caller(&error) {
            return error;
        }
        let (home, kind, source) = (home.directory().to_owned(), error.kind(), error.into());
        MigrationError::DoesNotOpen { home, is_new, ways, kind, source }.into()
    })
}

/// The same of the new identity, which is in use: nothing is about to be removed.
pub(super) fn prove_in_use(home: &Home, operator: &mut dyn Operator) -> Result<Lock, Error> {
    // What is wrong with the configuration is said as such, and not of the device.
    let _header = home.header()?;
    prove(home, Stays::New, operator)
}

/// Opens the new identity and signs with it, with its device, before it is put in use: since it
/// was proved, that may be gone. It keeps both locks, in the order in which handing over takes
/// them; the credential is asked for before that.
pub(super) fn prove_new(home: &Home, operator: &mut dyn Operator) -> Result<[Lock; 2], Error> {
    let staging = home.staging(None)?;
    let mut prove = || -> Result<[Lock; 2], Error> {
        let identity = staging.locate()?;
        let source = operator.new_credential(&identity.wants());
        let ready = identity.ask(source)?;
        let of_old = home.store().lock()?;
        Ok([of_old, ready.with(Located::prove)?])
    };
    prove().map_err(|error| {
        if is_of_the_caller(&error) {
            return error;
        }
        let (home, kind, source) = (staging.directory().to_owned(), error.kind(), error.into());
        MigrationError::NewDoesNotOpen { home, kind, source }.into()
    })
}

/// That the old identity opens and signs, so that it can hand over, before a key is made for that.
pub(super) fn prove_hands_over(home: &Home, operator: &mut dyn Operator) -> Result<(), Error> {
    let moved = home.by_serial();
    let mut prove = || -> Result<(), Error> {
        let identity = moved.as_ref().unwrap_or(home).locate()?;
        let source = operator.old_credential(&identity.wants());
        identity.ask(source)?.with(Located::prove).map(drop)
    };
    prove().map_err(|error| {
        if is_of_the_caller(&error) {
            return error;
        }
        let (home, kind, source) = (home.directory().to_owned(), error.kind(), error.into());
        MigrationError::CannotState { home, is_made: false, kind, source }.into()
    })
}

/// What can be mended by calling again as is right: its credential, and others at work.
pub(super) fn is_of_the_caller(error: &Error) -> bool {
    error.is_wrong_credential()
        || matches!(
            error.kind(),
            ErrorKind::CredentialMissing
                | ErrorKind::InUse
                | ErrorKind::InvalidInput
                | ErrorKind::LockedOut
        )
}

/// That this is the directory in which the migration was begun, before a key on a token is
/// destroyed: by the journal of a copy it may be the one that is in use.
pub(super) fn check_no_copy(
    store: &IdentityStore,
    journal: &Journal,
    key: &str,
    is_new: bool,
) -> Result<(), Error> {
    if journal.is_of(store.home())? {
        return Ok(());
    }
    let (home, of) = (store.home().to_owned(), journal.begun_in.path.clone().into());
    Err(MigrationError::Copy { home, of, key: key.to_owned(), is_new }.into())
}

/// Whether an identity can open: both of its files are there.
pub(super) fn is_whole(store: &IdentityStore) -> Result<bool, Error> {
    let [header, payload] = [names::HEADER, names::PAYLOAD].map(|name| store.home().join(name));
    Ok(file::is_there(&header)? && file::is_there(&payload)?)
}

/// That the directories of a migration are its own, and have what they may have by its journal:
/// nothing else is removed, and no link is followed.
pub(super) fn check_places(store: &IdentityStore, journal: &Journal) -> Result<(), Error> {
    use MigrationState as S;
    let (may_be_new, may_be_old) = match journal.state {
        S::Switched | S::Finishing => (false, true),
        S::Switching | S::Returning => (true, true),
        _ => (true, false),
    };
    let mut new = journal.to.clone();
    if journal.mode == MigrationMode::Import {
        // Known from the beginning.
        new.did = new.did.or_else(|| journal.from.did.clone());
    }
    check_place(&store.staging(), Some(&new), may_be_new)?;
    // What is kept whole is looked at beside the one that is in use.
    let is_looked_at = journal.state == S::Switched;
    check_place(&store.old(), if is_looked_at { None } else { Some(&journal.from) }, may_be_old)
}

fn check_place(place: &IdentityStore, side: Option<&Side>, may_be: bool) -> Result<(), Error> {
    let not = |found| -> Result<(), Error> {
        Err(MigrationError::NotOfThis { path: place.home().to_owned(), found }.into())
    };
    if file::is_link(place.home())? {
        return not(LINK);
    }
    let path = |name| place.home().join(name);
    if !may_be && (file::is_there(&path(names::HEADER))? || file::is_there(&path(names::PAYLOAD))?)
    {
        return not("an identity is in it, which should be empty by now");
    }
    let Some(side) = side else { return Ok(()) };
    let is_ours = match place.header_alone() {
        Ok(Some(header)) => match &side.did {
            Some(did) => did == header.did() && side.backend == header.backend(),
            // It was made, and not written down yet.
            None => place.began(&header)?,
        },
        _ => true,
    };
    let pinned = match file::is_there(&path(names::CONFIG))? {
        true => Config::load(&path(names::CONFIG)).ok().and_then(|config| config.identity.did),
        false => None,
    };
    let is_pinned = match (&side.did, &pinned) {
        (Some(did), Some(pinned)) => did == pinned,
        _ => true,
    };
    if is_ours && is_pinned { Ok(()) } else { not("another identity is in it") }
}
