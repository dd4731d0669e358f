//! Before the configuration names another identity: all that the exchange will do is looked at.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::switch::{check_side, files_of};
use crate::config::Config;
use crate::encoding::hex;
use crate::error::{Error, KeystoreError, MigrationError, NotReady};
use crate::file::{self, Place, names};
use crate::keystore::IdentityStore;
use crate::keystore::journal::{Journal, MigrationMode, MigrationState};

impl IdentityStore {
    /// Header and payload as they are, in hex: the payload names its header, but only to
    /// whoever opens it.
    pub(crate) fn digest(&self) -> Result<String, KeystoreError> {
        let (_, header) = self.read_header()?;
        let of_header = Sha256::digest(header.as_bytes());
        let of_payload = Sha256::digest(self.payload_file()?);
        Ok(hex::encode(&Sha256::digest([of_header, of_payload].concat())))
    }

    /// Before `state` is written down, which is [`MigrationState::Switching`] or
    /// [`MigrationState::Returning`]: under the locks of both, in the step that it guards.
    /// Nothing is changed.
    pub(super) fn check_ready(
        &self,
        journal: &Journal,
        state: MigrationState,
    ) -> Result<(), Error> {
        let back = state == MigrationState::Returning;
        let (now, next, from, out) = match back {
            false => (&journal.from, &journal.to, self.staging(), self.old()),
            true => (&journal.to, &journal.from, self.old(), self.staging()),
        };
        let not = |path: PathBuf, problem| {
            let error = MigrationError::NotReady { path, problem, back };
            Err(Error::from(error))
        };
        check_side(journal, now, self)?;
        let place = Place::of(self.home())?;
        for directory in [from.home(), out.home()] {
            // The one that is left is made where it is not there.
            let Ok(metadata) = directory.symlink_metadata() else { continue };
            if !metadata.is_dir() {
                return not(directory.to_owned(), NotReady::NoDirectory);
            }
            if Place::of(directory)? != place {
                return not(directory.to_owned(), NotReady::OtherFileSystem);
            }
        }
        for path in files_of(out.home()) {
            if file::is_there(&path)? {
                return not(path, NotReady::InTheWay);
            }
        }
        let config = from.home().join(names::CONFIG);
        for path in [from.header_path(), from.payload_path(), config.clone()] {
            if !file::is_there(&path)? {
                return not(path, NotReady::Missing);
            }
        }
        let header = from.header()?;
        if next.did.as_ref() != Some(header.did()) || next.backend != header.backend() {
            return not(from.header_path(), NotReady::OtherIdentity);
        }
        let identity = Config::load(&config)?.identity;
        if identity.did.as_ref() != Some(header.did()) || identity.backend != header.backend() {
            return not(config, NotReady::OtherIdentity);
        }
        if back {
            // It was in use meanwhile, and may be another file by now.
            let payload = from.payload_path();
            let from = from.with_age_config(identity.age);
            return match from.check_payload(&header) {
                Ok(()) => Ok(()),
                Err(_) => not(payload, NotReady::Changed),
            };
        }
        if journal.mode == MigrationMode::Rotate
            && !journal.unstated
            && !self.has_stated(journal)?
        {
            return not(self.home().join(names::HANDED_OVER), NotReady::NotStated);
        }
        match journal.proved == Some(from.digest()?) {
            true => Ok(()),
            false => not(from.payload_path(), NotReady::Changed),
        }
    }

    /// The old key has handed over to the new one, which has it in writing: its files were
    /// looked at after that.
    fn has_stated(&self, journal: &Journal) -> Result<bool, Error> {
        let (Some(old), Some(new)) = (&journal.from.did, &journal.to.did) else {
            return Ok(false);
        };
        let chain = self.handed_over(old)?;
        Ok(journal.proved.is_some() && chain.is_some_and(|chain| chain.current() == new))
    }
}
