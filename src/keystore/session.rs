//! The one way to open an identity, and to change it.
//!
//! Everything that opens or changes an identity stands on a [`Session`]: the
//! lock is held, what a killed writer left is swept away or put in order, the
//! key has proved itself, the header is the one that the payload names, and
//! nobody has written since it was read.

use super::header::{self, Header, Storage};
use super::identity::{IdentityStore, seed_of};
use super::kept::Kept;
use super::located::Located;
use super::payload::Payload;
use super::unlock::{StorageSecret, stored_secret};
use crate::agefile;
use crate::backend::{Backend, Credentials, KeyAtRest, Locator, mark};
use crate::bundle::{Companions, IdentityBundle};
use crate::did::Did;
use crate::error::{Error, KeystoreError};
use crate::file::{Lock, Turn, names};
use crate::key::DidKey;

/// An identity that is open, and stays locked to other processes.
///
/// To change it, change the fields and call [`Self::rewrite`].
pub(super) struct Session {
    pub(super) store: IdentityStore,
    pub(super) bundle: IdentityBundle<DidKey>,
    pub(super) header: Header,
    /// Without what the bundle has of it.
    pub(super) payload: Payload,
    /// What opens the payload.
    pub(super) secret: StorageSecret,
    /// Where the key was found.
    pub(super) place: Locator,
    /// Where the next header says that it is: as the last one did, unless that is what
    /// is changed.
    pub(super) recorded: Locator,
    /// What the header says of what opens the payload.
    pub(super) storage: Storage,
    /// Freed when the session is dropped.
    pub(super) lock: Lock,
}

/// How often an identity is opened anew because it was written meanwhile, before it is
/// opened under the lock.
const UNDISTURBED: usize = 3;

impl IdentityStore {
    /// Waits for other processes, and sweeps away what killed writers left.
    pub(crate) fn lock(&self) -> Result<Lock, KeystoreError> {
        Lock::exclusive(self.home())
    }

    /// Does work whose scrypt is one of few that all processes do here at a time.
    fn in_turn<T>(&self, work: impl FnOnce() -> T) -> T {
        let home = self.home().to_owned();
        agefile::sharing(move |most| Turn::wait(&home, most, names::PAYLOAD), work)
    }
}

impl Located<'_> {
    /// Opens the key, then the payload.
    ///
    /// The lock is not held while the credential is at work, which is what takes its
    /// time (scrypt, a device): whoever only reads does not wait for others who read. If
    /// somebody has written meanwhile, it is done again with what is there now.
    ///
    /// # Errors
    ///
    /// A header that is not this payload's is refused before anything but the
    /// opening challenge is signed.
    pub(super) fn session(self, credentials: &Credentials) -> Result<Session, Error> {
        let mut located = self;
        for _ in 0..UNDISTURBED {
            match located.session_unless_changed(credentials, false)? {
                Ok(session) => return Ok(session),
                Err(again) => located = again,
            }
        }
        let always = located.session_unless_changed(credentials, true)?;
        always.map_err(|again| {
            let path = again.store.header_path();
            KeystoreError::ReadBack { path }.into()
        })
    }

    /// What was found anew, if the files were written while the credential was at work,
    /// which `locked` rules out.
    fn session_unless_changed(
        self,
        credentials: &Credentials,
        locked: bool,
    ) -> Result<Result<Session, Self>, Error> {
        let lock = self.store.lock()?;
        let Self { store, backend, pinned, header, text, place: tried, key, moved } =
            self.brought_up_to_date()?;
        // With the header that it belongs to.
        let file = match &key {
            KeyAtRest::Software(_) => Vec::new(),
            KeyAtRest::Device(_) => store.payload_file()?,
        };
        let is_software = matches!(key, KeyAtRest::Software(_));
        let is_shown = matches!(&key, KeyAtRest::Device(key) if key.is_shown());
        let lock = locked.then_some(lock);
        let is_there = || Ok::<_, KeystoreError>(store.read_header()?.1 == text);
        let found_anew = || Self::find(store.clone(), backend, pinned.clone(), moved.clone());
        // Who has the lock is one, and is waited for.
        let unlocked = match &lock {
            Some(_) => store.unlock(backend, &header, key, &file, credentials),
            None => store.in_turn(|| store.unlock(backend, &header, key, &file, credentials)),
        };
        let (lock, (key, secret, payload)) = match (lock, unlocked) {
            (Some(lock), unlocked) => (lock, unlocked?),
            (None, Ok(unlocked)) => {
                let lock = store.lock()?;
                if !is_there()? {
                    drop(lock);
                    return Ok(Err(found_anew()?));
                }
                (lock, unlocked)
            }
            // It may be the new passphrase, tried on the file of before. A PIN is not
            // sent again.
            (None, Err(error)) if is_software && error.is_wrong_credential() && !is_there()? => {
                return Ok(Err(found_anew()?));
            }
            (None, Err(error)) => return Err(error),
        };
        let (header, mut payload) = store.matching_header(header, &text, payload, &secret)?;
        // Where a header said that nobody vouches for counts for nothing from here on.
        let recorded = store.locator_of(&header);
        let is_moved = moved.is_some();
        let place = moved.unwrap_or_else(|| recorded.clone());
        let key = if place == tried {
            key
        } else {
            opened_at(backend, &place, header.did(), key, credentials)?
        };
        let in_file_until = header.in_file_until().max(mark::of_locator(&place));
        payload = payload.with_in_file_until(in_file_until);
        let key = header.judge(payload.judge(key));
        if let Err(error) = store.settle(&header) {
            log::warn!("a note of how the identity was made could not be removed: {error}");
        }
        // From now on known of this token, which has just released what it keeps.
        let recorded = recorded.seen(is_shown && !is_moved);
        let place = place.seen(is_shown);
        let companions = store.companions(&header, &mut payload)?;
        let kept = Kept::of(&store, header.backend(), &secret).at(&recorded);
        let bundle = IdentityBundle::from_companions(key, companions)?
            .with_retired(payload.retired_keys().clone())
            .kept_by(kept);
        let storage = header.storage().clone();
        Ok(Ok(Session { store, bundle, header, payload, secret, place, recorded, storage, lock }))
    }
}

/// The key where the vouched header says. If it is not there any more, since its
/// relocation was cut off, the one that is open: it has proved whose it is.
fn opened_at(
    backend: &dyn Backend,
    place: &Locator,
    did: &Did,
    open: DidKey,
    credentials: &Credentials,
) -> Result<DidKey, Error> {
    match backend.find(place, did) {
        Ok(KeyAtRest::Device(key)) => Ok(key.unseal(&credentials.pin_for(backend.kind())?)?),
        Ok(KeyAtRest::Software(_)) => Ok(open),
        Err(error) => {
            log::warn!("the key is not where it was before a change that was cut off: {error}");
            Ok(open)
        }
    }
}

impl Session {
    /// The header of the next generation.
    pub(super) fn next_header(&self) -> Header {
        self.header_with(&self.bundle.companions())
    }

    fn header_with(&self, companions: &Companions) -> Header {
        Header::new(
            self.bundle.signer(),
            self.header.backend(),
            &self.recorded,
            self.storage.clone(),
            companions,
            (self.header.generation().saturating_add(1), self.payload.in_file_until()),
        )
    }

    /// Writes what it holds as the next generation, and reads it back. If that
    /// fails the files are as they were.
    pub(super) fn rewrite(&mut self) -> Result<(), Error> {
        self.rewrite_with(&self.bundle.companions())
    }

    /// As [`Self::rewrite`], with companions that the bundle does not use yet.
    pub(super) fn rewrite_with(&mut self, companions: &Companions) -> Result<(), Error> {
        self.header = self.header_with(companions);
        let text = self.header.to_json()?;
        let seed = seed_of(self.bundle.signer());
        self.payload.renew(seed, companions, header::hash(&text));
        self.store.replace(&text, &self.payload, &self.secret)
    }
}

impl IdentityStore {
    /// Opens a key that was found, and the payload; that of a software key is its file.
    fn unlock(
        &self,
        backend: &dyn Backend,
        header: &Header,
        key: KeyAtRest,
        file: &[u8],
        credentials: &Credentials,
    ) -> Result<(DidKey, StorageSecret, Payload), Error> {
        match key {
            KeyAtRest::Software(key) => {
                let passphrase = credentials.want_passphrase()?;
                let opened = key.decrypt(passphrase).and_then(|json| {
                    let mut payload = Payload::opened(&json)?;
                    let seed = payload.take_seed();
                    Ok((key.with_seed(payload.did(), seed)?, payload))
                });
                let (key, payload) = self.about_payload(opened)?;
                Ok((key.into(), StorageSecret::Passphrase(passphrase.clone()), payload))
            }
            KeyAtRest::Device(key) => {
                // Asked for before the PIN is spent.
                if matches!(header.storage(), Storage::Passphrase {}) {
                    credentials.want_passphrase_beside_pin()?;
                }
                let key = key.unseal(&credentials.pin_for(backend.kind())?)?;
                let secret = stored_secret(backend, header, credentials)?;
                let payload = self.about_payload(secret.unseal(file, &self.age))?;
                Ok((key, secret, payload))
            }
        }
    }
}
