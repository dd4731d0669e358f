//! An identity that is made, and not written yet.

use std::fmt;
use std::path::Path;

use super::config_file::Cause;
use super::header::{self, Header, Storage};
use super::identity::{IdentityStore, seed_of};
use super::kept::Kept;
use super::legacy::Carried;
use super::payload::Payload;
use super::undo::Undo;
use super::unlock::{StorageSecret, new_storage};
use crate::backend::{Backend, BackendKind, Credentials, Locator, NewKey, Plan};
use crate::bundle::{IdentityBundle, check_clock};
use crate::did::Did;
use crate::error::Error;
use crate::file;
use crate::key::DidKey;
use crate::rotation::RotationChain;

/// An identity that is made and not written: its key is there, its header is
/// known, and nothing names it yet but a note of what would be left.
///
/// So whoever pins the DID ([`Self::write_config`]) does so *before* the identity
/// is there, and no identity is ever there without its pin. Dropped, it undoes
/// everything: a key that was made for it is taken out of its device again. A
/// draft holds the lock of the home.
#[must_use = "dropped, it undoes what was made for it"]
pub struct Draft<'a> {
    new: New,
    /// Nobody can have known the DID before.
    new_did: bool,
    /// By which it has handed over, as its backup knows it.
    handed_over: Option<RotationChain>,
    /// Successors that were given up since.
    given_up: Vec<Did>,
    undo: Undo<'a>,
}

/// What will be written.
pub(super) struct New {
    pub(super) bundle: IdentityBundle<DidKey>,
    pub(super) header: Header,
    text: String,
    payload: Payload,
    secret: StorageSecret,
    sealed: Vec<u8>,
}

/// Where the key of a new identity is, and what opens its payload.
pub(super) struct Stored {
    pub(super) backend: BackendKind,
    pub(super) place: Locator,
    pub(super) storage: Storage,
    pub(super) secret: StorageSecret,
}

impl New {
    /// The first generation of an identity.
    pub(super) fn first(
        store: &IdentityStore,
        bundle: IdentityBundle<DidKey>,
        stored: Stored,
        legacy: Option<Carried>,
    ) -> Result<Self, Error> {
        let payload = Payload::empty(bundle.did().clone()).with_legacy(legacy);
        Self::of(store, bundle, payload, stored, 1)
    }

    pub(super) fn of(
        store: &IdentityStore,
        bundle: IdentityBundle<DidKey>,
        mut payload: Payload,
        Stored { backend, place, storage, secret }: Stored,
        generation: u64,
    ) -> Result<Self, Error> {
        let kept = Kept::of(store, backend, &secret).at(&place);
        let bundle = bundle.kept_by(kept);
        let companions = &*bundle.companions();
        let signer = bundle.signer();
        let written = (generation, payload.in_file_until());
        let header = Header::new(signer, backend, &place, storage, companions, written);
        let text = header.to_json()?;
        payload.renew(seed_of(signer), companions, header::hash(&text));
        let sealed = secret.seal(&payload, &store.age)?;
        Ok(Self { bundle, header, text, payload, secret, sealed })
    }

    /// The payload last: with it the identity is there.
    fn write(&self, store: &IdentityStore) -> Result<(), Error> {
        file::write(&store.header_path(), self.text.as_bytes())?;
        file::write(&store.payload_path(), &self.sealed)?;
        store.read_back(&self.text, &self.payload, &self.secret)
    }
}

impl IdentityStore {
    /// **Blocks** on device and files. Makes a key with the backend, and companions
    /// for it.
    ///
    /// # Errors
    ///
    /// [`crate::error::KeystoreError::Exists`] rather than overwrite anything;
    /// [`crate::error::KeystoreError::Unfinished`] where an earlier attempt has left a key on
    /// another token. Nothing is left of it.
    pub fn draft<'a>(
        &self,
        backend: &'a dyn Backend,
        request: &NewKey,
        credentials: &Credentials,
    ) -> Result<Draft<'a>, Error> {
        check_clock()?;
        let mut undo = Undo::begin(self)?;
        if backend.kind() != BackendKind::Age && !backend.makes_storage_keys() {
            credentials.want_passphrase_beside_pin()?;
        }
        undo.clear(backend, None, credentials)?;
        let plan = backend.plan(None)?;
        undo.announce(&plan)?;
        let created = backend.create_as(&plan, request, credentials);
        let created = undo.making(backend, &plan, credentials, created)?;
        let bundle = IdentityBundle::issue(created.key)?;
        let stored = stored(backend, &plan, bundle.did(), created.locator, credentials)?;
        let new = New::first(self, bundle, stored, None)?;
        Ok(Draft::new(new, undo).with_new_did())
    }

    /// An identity around a bundle, as other versions may have made it.
    #[cfg(test)]
    pub(super) fn write_new(
        &self,
        backend: &dyn Backend,
        bundle: IdentityBundle<DidKey>,
        place: &Locator,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        let undo = Undo::begin(self)?;
        let stored = stored(backend, &Plan::default(), bundle.did(), place.clone(), credentials)?;
        Draft::new(New::first(self, bundle, stored, None)?, undo).write()
    }

    /// **Blocks** on device, scrypt and files. Makes a key with the backend,
    /// companions for it, and writes both files: [`Self::draft`], then
    /// [`Draft::write`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create(
        &self,
        backend: &dyn Backend,
        request: &NewKey,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        self.draft(backend, request, credentials)?.write()
    }
}

/// With a new storage key on the device if it can keep one, else a passphrase.
pub(super) fn stored(
    backend: &dyn Backend,
    plan: &Plan,
    did: &Did,
    place: Locator,
    credentials: &Credentials,
) -> Result<Stored, Error> {
    let (storage, secret) = new_storage(backend, plan, did, credentials)?;
    Ok(Stored { backend: backend.kind(), place, storage, secret })
}

impl<'a> Draft<'a> {
    pub(super) fn new(new: New, undo: Undo<'a>) -> Self {
        Self { new, new_did: false, handed_over: None, given_up: Vec::new(), undo }
    }

    /// For an identity that never was, wherever its DID is pinned.
    pub(super) fn with_new_did(self) -> Self {
        Self { new_did: true, ..self }
    }

    /// For an identity that has handed over to another one: it does so once. With those that
    /// were given up since.
    pub(super) fn with_handover(
        self,
        handed_over: Option<RotationChain>,
        given_up: Vec<Did>,
    ) -> Self {
        Self { handed_over, given_up, ..self }
    }

    /// The DID.
    #[must_use]
    pub fn did(&self) -> &Did {
        self.new.bundle.did()
    }

    /// Whether nobody can have known the DID before: the key was made, or the
    /// identity around it.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.new_did
    }

    /// The header that will be written.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.new.header
    }

    /// **Blocks** on files. Changes the configuration, so that it pins the DID,
    /// before the identity is written: `edit` gets the text that is there, if there
    /// is a file, and gives the one that is to be. Reading and replacing it are one
    /// step for all who come this way: meanwhile this process has the lock of the
    /// file's directory.
    ///
    /// If no identity comes of it, the file is put back as it was; if this process
    /// is killed, [`IdentityStore::unfinished`] knows that the DID is nobody's. A
    /// file that is as it should be need not be writable.
    ///
    /// # Errors
    ///
    /// [`crate::error::KeystoreError::OtherPinned`] if it pins another DID, unless that was never
    /// made and the file is in the identity's own directory;
    /// [`crate::error::KeystoreError::ConfigNotEdited`] with the error of `edit`; or if it cannot
    /// be written.
    pub fn write_config(
        &mut self,
        path: &Path,
        edit: impl FnOnce(Option<&str>) -> Result<String, Cause>,
    ) -> Result<(), Error> {
        self.undo.write_config(self.new.bundle.did(), self.new_did, path, edit)
    }

    /// **Blocks** on scrypt and files. Writes both files, and reads them back.
    ///
    /// # Errors
    ///
    /// If they cannot be written. Everything is undone then.
    pub fn write(self) -> Result<IdentityBundle<DidKey>, Error> {
        let Self { new, mut undo, handed_over, given_up, .. } = self;
        undo.put_handover(new.bundle.did(), handed_over.as_ref(), given_up)?;
        undo.write_files(|store| new.write(store))?;
        Ok(new.bundle)
    }
}

impl fmt::Debug for Draft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("did", self.did()).finish_non_exhaustive()
    }
}
