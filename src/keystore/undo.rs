//! What was done for an identity that is not there yet, and how it is undone.

use std::path::{Path, PathBuf};

use super::config_file::{Cause, ConfigFile, Pin};
use super::header::Header;
use super::identity::IdentityStore;
use super::unfinished::Unfinished;
use crate::backend::{Backend, BackendKind, Credentials, Locator, Plan};
use crate::config::Config;
use crate::did::Did;
use crate::error::{DeviceError, Error, KeystoreError, Pkcs11Error};
use crate::file::{self, Lock, names};
use crate::rotation::RotationChain;

/// Holds the lock while an identity is made, and undoes everything when it is
/// dropped, unless the identity is whole by then.
///
/// A process that is killed undoes nothing: so what is made on a token, and which
/// DID is pinned, is written down first ([`Unfinished`]), and the next attempt
/// goes on from there.
pub(super) struct Undo<'a> {
    pub(super) store: IdentityStore,
    /// What the note says now.
    note: Unfinished,
    /// What earlier attempts have left, and is left again when this one fails.
    earlier: Unfinished,
    /// Something was made here.
    device: Option<(&'a dyn Backend, Plan, Credentials)>,
    /// The device did not let go of what was begun.
    left_behind: bool,
    config: ConfigFile,
    approvals: bool,
    /// A note of how it has handed over was put there.
    handover: bool,
    /// The files of the identity were begun.
    files: bool,
    done: bool,
    _lock: Lock,
}

impl<'a> Undo<'a> {
    /// Makes the directory, takes the lock, and sees that no identity is there.
    pub(super) fn begin(store: &IdentityStore) -> Result<Self, Error> {
        file::private_dir(store.home())?;
        let lock = store.lock()?;
        store.check_vacant()?;
        let note = store.read_unfinished()?;
        Ok(Self {
            store: store.clone(),
            earlier: note.clone(),
            note,
            device: None,
            left_behind: false,
            config: ConfigFile::default(),
            approvals: false,
            handover: false,
            files: false,
            done: false,
            _lock: lock,
        })
    }

    /// What [`Self::clear`] can refuse before a PIN is sent.
    pub(super) fn check_clear(
        &self,
        backend: &dyn Backend,
        found: (&Did, &Locator),
    ) -> Result<(), Error> {
        self.store.check_unfinished_is_there(&self.note, backend, Some(found))
    }

    /// Removes what earlier attempts have left: the header, then what is on a
    /// token, which the note names until it is gone. A key that was found stays.
    pub(super) fn clear(
        &mut self,
        backend: &dyn Backend,
        found: Option<(&Did, &Locator)>,
        credentials: &Credentials,
    ) -> Result<(), Error> {
        self.store.clear_header(&self.note)?;
        self.store.remove_unfinished_objects(&mut self.note, backend, found, credentials)?;
        self.earlier.clone_from(&self.note);
        Ok(())
    }

    /// Of the header of a backup: what it names was finished, whatever the note
    /// says.
    pub(super) fn spare(&mut self, header: &Header) -> Result<(), KeystoreError> {
        if self.note.names(header) {
            self.note.device = None;
            self.store.write_unfinished(&self.note)?;
        }
        Ok(())
    }

    /// Writes down under which names something is about to be made.
    pub(super) fn announce(&mut self, plan: &Plan) -> Result<(), KeystoreError> {
        if plan.names.is_none() {
            return Ok(());
        }
        self.note.device.clone_from(&plan.names);
        self.store.write_unfinished(&self.note)
    }

    /// What came of the first thing that was made by the plan.
    pub(super) fn making<T>(
        &mut self,
        backend: &'a dyn Backend,
        plan: &Plan,
        credentials: &Credentials,
        made: Result<T, Error>,
    ) -> Result<T, Error> {
        match &made {
            Ok(_) => self.will_remove(backend, plan, credentials),
            // It has been tried, and the device does not work.
            Err(Error::Device(DeviceError::Pkcs11(Pkcs11Error::LeftBehind { .. }))) => {
                self.left_behind = true;
            }
            Err(_) => {}
        }
        made
    }

    /// From now on the device may have something that was made by the plan.
    pub(super) fn will_remove(
        &mut self,
        backend: &'a dyn Backend,
        plan: &Plan,
        credentials: &Credentials,
    ) {
        self.device = Some((backend, plan.clone(), credentials.clone()));
    }

    pub(super) fn put_approvals(&mut self, approvals: Option<&str>) -> Result<(), KeystoreError> {
        let path = self.store.home().join(names::APPROVALS);
        // None is put over others.
        if let Some(approvals) = approvals
            && path.symlink_metadata().is_err()
        {
            self.approvals = true;
            file::write(&path, approvals.as_bytes())?;
        }
        Ok(())
    }

    /// Puts the note there by which the identity has handed over, before there is an
    /// identity that could do so once more. One that is there already is of a later time
    /// than a backup, and stays, with what is noted of it there; one of another identity, which
    /// is gone, is put aside.
    pub(super) fn put_handover(
        &mut self,
        did: &Did,
        chain: Option<&RotationChain>,
        given_up: Vec<Did>,
    ) -> Result<(), Error> {
        let path = self.store.home().join(names::HANDED_OVER);
        if let Some(bytes) = file::read_private(&path)? {
            let found = RotationChain::from_json(&bytes);
            if found.as_ref().is_ok_and(|found| found.last().old().did() == did) {
                return Ok(());
            }
            let kept = self.store.aside(names::HANDED_OVER, &bytes);
            log::warn!(
                "{} is of another identity: it is kept as {}",
                path.display(),
                kept.display()
            );
            file::rename(&path, &kept)?;
        }
        if let Some(chain) = chain {
            self.handover = true;
            file::write(&path, &chain.to_json())?;
            if !given_up.is_empty() {
                self.store.put_given_up(given_up)?;
            }
        }
        Ok(())
    }

    /// Writes the configuration, so that it pins a DID; `new` if nobody can have
    /// known that before.
    pub(super) fn write_config(
        &mut self,
        did: &Did,
        new: bool,
        path: &Path,
        edit: impl FnOnce(Option<&str>) -> Result<String, Cause>,
    ) -> Result<(), Error> {
        // One that is pinned was there: an identity is made around its key anew.
        let is_pinned =
            Config::load(path).is_ok_and(|config| config.identity.did.as_ref() == Some(did));
        if new && !is_pinned && !self.note.was_never_made(did) {
            self.note.dids.push(did.clone());
            self.store.write_unfinished(&self.note)?;
        }
        let pin = Pin { store: &self.store, did, never_made: &self.note.dids };
        self.config.write(&pin, path, edit)
    }

    /// Writes both files by a function; then the identity is whole.
    pub(super) fn write_files(
        mut self,
        write: impl FnOnce(&IdentityStore) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.files = true;
        write(&self.store)?;
        self.done = true;
        self.config.keep();
        if self.store.is_staged() {
            return Ok(());
        }
        // The identity is there: the next that opens it tries again.
        if let Err(error) = self.store.write_unfinished(&Unfinished::default()) {
            log::warn!("a note of how the identity was made could not be removed: {error}");
        }
        Ok(())
    }

    /// Best effort, in this order: an identity is never there without its key or
    /// its pin, and the note stays as long as it says something true.
    fn undo(&mut self) {
        if self.files
            && let Err(error) = self.store.remove_files()
        {
            log::warn!("what was written of the identity could not be removed: {error}");
            self.config.keep();
            return;
        }
        if self.approvals {
            let _ = file::remove(&self.store.home().join(names::APPROVALS));
        }
        if self.handover {
            let _ = file::remove(&self.store.home().join(names::GIVEN_UP));
            let _ = file::remove(&self.store.home().join(names::HANDED_OVER));
        }
        let unpinned = self.config.put_back();
        if let Some((backend, plan, credentials)) = self.device.take()
            && let Err(error) = backend.discard(&plan, &credentials)
        {
            log::warn!("a new key could not be removed from its device: {error}");
            self.left_behind = true;
        }
        let mut left = self.earlier.clone();
        if !unpinned {
            left.dids.clone_from(&self.note.dids);
        }
        if self.left_behind {
            left.device.clone_from(&self.note.device);
        }
        if left != self.note
            && let Err(error) = self.store.write_unfinished(&left)
        {
            log::warn!("{} stays: {error}", self.store.unfinished_path().display());
        }
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.undo();
        }
    }
}

impl IdentityStore {
    /// Puts away the header that is left without its payload.
    ///
    /// It may be all that is left of a key: a TPM's key *is* in it. So it is put
    /// aside and not removed, unless it is one of a software key, of which it
    /// holds nothing, or names what the note shows to be left on a token.
    fn clear_header(&self, begun: &Unfinished) -> Result<(), KeystoreError> {
        let path = self.header_path();
        let Some(bytes) = file::read_private(&path)? else { return Ok(()) };
        let left = std::str::from_utf8(&bytes).ok().and_then(|text| Header::parse(text).ok());
        if let Some(left) = &left
            && (left.backend() == BackendKind::Age || begun.names(left))
        {
            let path_shown = path.display();
            match begun.names(left) || begun.dids.contains(left.did()) {
                true => log::warn!(
                    "an earlier attempt to make an identity was cut off: {path_shown} is replaced"
                ),
                // Nothing is noted of an attempt: its key was in the missing file alone.
                false => log::warn!(
                    "identity.age of {} is missing: it was lost, or an earlier attempt to make an \
                     identity was cut off: {path_shown} is replaced",
                    left.did()
                ),
            }
            return file::remove(&path);
        }
        let kept = self.aside(names::HEADER, &bytes);
        log::warn!(
            "there is the header of a key in a device without its identity.age, of {}: it is \
             kept as {}, and the key stays in its device",
            left.map_or_else(|| "an unknown DID".into(), |header| header.did().to_string()),
            kept.display(),
        );
        file::rename(&path, &kept)
    }

    /// Where a file goes that is in the way and may still be wanted.
    pub(crate) fn aside(&self, name: &str, bytes: &[u8]) -> PathBuf {
        self.home().join(format!("{name}.{}", short_hash(bytes)))
    }

    /// All files that are there by such a name.
    pub(crate) fn put_aside(&self, name: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.home()).into_iter().flatten().flatten();
        let is_put_aside = |found: &std::fs::DirEntry| {
            let found = found.file_name();
            found.to_str().is_some_and(|found| is_put_aside(found, name))
        };
        entries.filter(is_put_aside).map(|entry| entry.path()).collect()
    }

    /// What a failed attempt has written: the payload first, with which the
    /// identity is there.
    fn remove_files(&self) -> Result<(), KeystoreError> {
        file::remove(&self.payload_path())?;
        file::remove(&self.header_path())
    }
}

/// Whether a name is that of a file with a hash behind it.
fn is_put_aside(name: &str, file: &str) -> bool {
    let hash = name.strip_prefix(file).and_then(|rest| rest.strip_prefix('.'));
    hash.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Enough to tell what was put aside from all else that was.
fn short_hash(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(bytes);
    crate::encoding::hex::encode(hash.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_that_cannot_be_removed_again_stays_pinned() {
        let dir = tempfile::tempdir().unwrap();
        let store = IdentityStore::new(dir.path().join("home"));
        let config = dir.path().join("icn.toml");
        let did = Did::parse("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK").unwrap();
        let mut undo = Undo::begin(&store).unwrap();
        undo.write_config(&did, true, &config, |_| Ok("# pinned\n".into())).unwrap();
        let failed = undo.write_files(|store| {
            // Not a file that could be removed.
            std::fs::create_dir(store.payload_path()).unwrap();
            Err(KeystoreError::ReadBack { path: store.payload_path() }.into())
        });
        assert!(failed.is_err() && store.payload_path().exists());
        assert_eq!(std::fs::read_to_string(&config).unwrap(), "# pinned\n");
    }
}
