//! An identity whose key was in a file, made anew around that key in a device: the DID
//! stays, and with it what others know of it.
//!
//! | | |
//! |---|---|
//! | X25519 key, retired decryption keys, rotation chain, what was carried along | as they were |
//! | TLS key, certificate, binding | new, as those of another instance: where the old files are still used, they are not shut out |
//! | `in_file_until` of the header | the time of the import; one that is there is never made earlier |
//! | `CKA_ID` of a key on a token | says the same, for whoever makes an identity around the key anew |
//! | `handed-over.json`, `given-up.json` | copied, so that nothing is stated twice |

use std::fmt;

use super::draft::{Draft, New, stored};
use super::identity::IdentityStore;
use super::legacy::LegacyIdentity;
use super::located::Located;
use super::payload::Payload;
use super::session::Session;
use super::undo::Undo;
use crate::backend::{Backend, BackendKind, Credentials};
use crate::bundle::{Companions, IdentityBundle, NextEpoch, check_clock};
use crate::clock;
use crate::did::Did;
use crate::error::{DeviceError, Error, KeystoreError};
use crate::file::Lock;
use crate::key::{DidKey, Key, Software, Unlocked};
use crate::rotation::RotationChain;
use crate::secret::X25519Seed;

/// An open identity whose key is in memory, to be imported into a device.
///
/// That of an age file stays locked to other processes until then, and is left as it is;
/// an older file is read and never written.
#[must_use = "nothing is imported yet"]
pub struct Importable(Source);

enum Source {
    Identity(Box<Session>),
    Legacy(Box<LegacyIdentity>),
}

impl From<LegacyIdentity> for Importable {
    fn from(old: LegacyIdentity) -> Self {
        Self(Source::Legacy(Box::new(old)))
    }
}

impl Importable {
    /// Whose identity it is, and will be.
    #[must_use]
    pub fn did(&self) -> &Did {
        match &self.0 {
            Source::Identity(session) => session.bundle.did(),
            Source::Legacy(old) => old.did(),
        }
    }
}

impl Located<'_> {
    /// **Blocks** on scrypt and files. Opens the identity of an age file, to import it.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::NoSeed`] for one whose key is in a device, before any credential is
    /// used; as [`Self::open`].
    pub fn prepare_import(self, credentials: &Credentials) -> Result<Importable, Error> {
        let backend = self.header().backend();
        if backend != BackendKind::Age {
            return Err(KeystoreError::NoSeed { backend }.into());
        }
        Ok(Importable(Source::Identity(Box::new(self.session(credentials)?))))
    }
}

/// What is taken from the old identity.
struct Taken {
    key: Key<Software, Unlocked>,
    with: With,
    payload: Payload,
    generation: u64,
    handed_over: Option<RotationChain>,
    given_up: Vec<Did>,
    /// Of the old identity, for as long as its files are to stay as they are.
    lock: Option<Lock>,
}

/// What the new companions are made of.
enum With {
    Companions(Box<Companions>),
    Decryption(Option<X25519Seed>),
}

impl Source {
    fn take(self) -> Result<Taken, Error> {
        match self {
            Self::Identity(session) => {
                let Session { store, bundle, header, payload, lock, .. } = *session;
                let handed_over = store.handed_over(bundle.did())?;
                let given_up = store.all_given_up();
                let companions = bundle.companions().copy();
                let DidKey::Software(key) = bundle.into_signer() else {
                    return Err(KeystoreError::NoSeed { backend: header.backend() }.into());
                };
                let with = With::Companions(Box::new(companions));
                let generation = header.generation().saturating_add(1);
                let lock = Some(lock);
                Ok(Taken { key, with, payload, generation, handed_over, given_up, lock })
            }
            Self::Legacy(old) => {
                let LegacyIdentity { key, x25519, carried, .. } = *old;
                let payload = Payload::empty(key.did().clone()).with_legacy(Some(carried));
                let with = With::Decryption(x25519);
                let (handed_over, given_up, lock) = (None, Vec::new(), None);
                Ok(Taken { key, with, payload, generation: 1, handed_over, given_up, lock })
            }
        }
    }
}

impl IdentityStore {
    /// **Blocks** on device and files. Writes the key of an open identity into the device
    /// of a backend, and makes the identity of the same DID around it, for this directory.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoSeedImport`]; as [`SeedImport::import_as`] and [`Self::draft`].
    /// Nothing is left of it.
    ///
    /// [`SeedImport::import_as`]: crate::backend::SeedImport::import_as
    pub fn draft_imported<'a>(
        &self,
        backend: &'a dyn Backend,
        from: Importable,
        label: Option<&str>,
        credentials: &Credentials,
    ) -> Result<Draft<'a>, Error> {
        check_clock()?;
        let kind = backend.kind();
        let importer = backend.importer();
        let importer = importer.ok_or(DeviceError::NoSeedImport { backend: kind })?;
        let mut undo = Undo::begin(self)?;
        if !backend.makes_storage_keys() {
            credentials.want_passphrase_beside_pin()?;
        }
        let epoch = self.epoch_left(from.did());
        undo.clear(backend, None, credentials)?;
        let now = clock::now();
        let plan = backend.plan(None)?.of_imported(now);
        undo.announce(&plan)?;
        let Taken { key: old, with, payload, generation, handed_over, given_up, lock } =
            from.0.take()?;
        let payload = payload.without_seed(old.expose_secret())?.with_import_at(now);
        let imported = importer.import_as(&plan, &old, label, credentials);
        drop(old);
        let imported = undo.making(backend, &plan, credentials, imported)?;
        let key = DidKey::from(imported.key);
        let bundle = match with {
            With::Decryption(x25519) => IdentityBundle::issue_around(key, epoch, x25519)?,
            With::Companions(companions) => {
                let epoch = companions.binding().epoch().max(epoch);
                let bundle = IdentityBundle::from_companions(key, *companions)?
                    .with_retired(payload.retired_keys().clone());
                bundle.renew_apart(NextEpoch::Joined(epoch))?;
                bundle
            }
        };
        let stored = stored(backend, &plan, bundle.did(), imported.locator, credentials)?;
        let new = New::of(self, bundle, payload, stored, generation)?;
        drop(lock);
        Ok(Draft::new(new, undo).with_handover(handed_over, given_up))
    }
}

impl fmt::Debug for Importable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Importable").field("did", self.did()).finish_non_exhaustive()
    }
}
