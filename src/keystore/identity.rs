//! An identity on disk: made once, opened with its credential, renewed.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use secrecy::SecretString;

use super::header::{self, Header, Storage};
use super::lock::Lock;
use super::payload::Payload;
use super::{age, file};
use crate::backend::{Backend, BackendKind, Credential, KeyAtRest, Locator, NewKey};
use crate::bundle::{DEFAULT_VALIDITY, IdentityBundle};
use crate::config::AgeConfig;
use crate::did::Did;
use crate::error::{DeviceError, Error, KeystoreError, OpenError};
use crate::key::DidKey;
use crate::secret::{Passphrase, Pin, SigningSeed};

const HEADER: &str = "identity.json";
const PAYLOAD: &str = "identity.age";

/// The directory of one identity.
#[derive(Debug, Clone)]
pub struct IdentityStore {
    home: PathBuf,
    age: AgeConfig,
}

/// What opens an identity: a passphrase, a PIN, or a PIN and a passphrase for
/// tokens that cannot keep a storage key.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    passphrase: Option<Passphrase>,
    pin: Option<Pin>,
}

impl Credentials {
    /// A passphrase.
    #[must_use]
    pub const fn passphrase(passphrase: Passphrase) -> Self {
        Self { passphrase: Some(passphrase), pin: None }
    }

    /// A PIN.
    #[must_use]
    pub const fn pin(pin: Pin) -> Self {
        Self { passphrase: None, pin: Some(pin) }
    }

    /// A passphrase as well.
    #[must_use]
    pub fn and_passphrase(mut self, passphrase: Passphrase) -> Self {
        self.passphrase = Some(passphrase);
        self
    }

    fn for_backend(&self, kind: BackendKind) -> Result<Credential, DeviceError> {
        match kind {
            BackendKind::Age => self
                .passphrase
                .clone()
                .map(Credential::Passphrase)
                .ok_or(DeviceError::WrongCredential { backend: "age", wanted: "passphrase" }),
            BackendKind::Pkcs11 => self
                .pin
                .clone()
                .map(Credential::Pin)
                .ok_or(DeviceError::WrongCredential { backend: "pkcs11", wanted: "PIN" }),
        }
    }

    fn want_passphrase(&self) -> Result<&Passphrase, KeystoreError> {
        self.passphrase.as_ref().ok_or(KeystoreError::PassphraseNeeded)
    }
}

/// What opens the payload, once the key is open.
enum StorageSecret {
    Passphrase(Passphrase),
    Key(SecretString),
}

/// An identity that was opened.
#[derive(Debug)]
#[non_exhaustive]
#[must_use]
pub struct Opened {
    /// The identity.
    pub bundle: IdentityBundle<DidKey>,
    /// Why a renewal that was due was not done. The bundle is the old one then.
    pub renewal_failed: Option<Error>,
}

impl IdentityStore {
    /// A directory. Nothing is read or made yet.
    #[must_use]
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self { home: home.into(), age: AgeConfig::default() }
    }

    /// With other scrypt work factors.
    #[must_use]
    pub const fn with_age_config(mut self, config: AgeConfig) -> Self {
        self.age = config;
        self
    }

    /// The directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    pub(crate) fn payload_path(&self) -> PathBuf {
        self.home.join(PAYLOAD)
    }

    fn header_path(&self) -> PathBuf {
        self.home.join(HEADER)
    }

    /// The public header. It is **not** verified: that takes the credential.
    ///
    /// # Errors
    ///
    /// If there is no identity, or the file is not safe or not valid.
    pub fn header(&self) -> Result<Header, KeystoreError> {
        self.read_header().map(|(header, _)| header)
    }

    fn read_header(&self) -> Result<(Header, String), KeystoreError> {
        file::check_private_dir(&self.home)?;
        self.read_header_at(&self.header_path())?
            .ok_or_else(|| KeystoreError::NoIdentity { home: self.home.clone() })
    }

    fn read_header_at(&self, path: &Path) -> Result<Option<(Header, String)>, KeystoreError> {
        let invalid = |source| KeystoreError::Header { path: path.to_owned(), source };
        let Some(bytes) = file::read_private(path)? else { return Ok(None) };
        let text = String::from_utf8(bytes).map_err(|error| invalid(error.into()))?;
        let header = Header::parse(&text).map_err(invalid)?;
        Ok(Some((header, text)))
    }

    pub(crate) fn payload_file(&self) -> Result<Vec<u8>, KeystoreError> {
        file::read_private(&self.payload_path())?
            .ok_or_else(|| KeystoreError::NoIdentity { home: self.home.clone() })
    }

    /// Whether an identity can be made here.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Exists`] if any file of one is there.
    pub fn check_vacant(&self) -> Result<(), KeystoreError> {
        for path in [self.header_path(), self.payload_path()] {
            if path.symlink_metadata().is_ok() {
                return Err(KeystoreError::Exists { path });
            }
        }
        Ok(())
    }

    /// Checks a header against what is configured and pinned.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::NotPinned`] or [`KeystoreError::NotConfigured`].
    pub fn check(
        &self,
        header: &Header,
        configured: BackendKind,
        pinned: Option<&Did>,
    ) -> Result<(), KeystoreError> {
        check_header(header, configured, pinned)
    }

    /// Finds the key that a header names, and checks what can be checked
    /// without a credential.
    ///
    /// # Errors
    ///
    /// As [`Backend::find`].
    pub fn find(&self, backend: &dyn Backend, header: &Header) -> Result<KeyAtRest, Error> {
        let locator = match header.locator() {
            None => Locator::AgeFile(self.payload_path()),
            Some(locator) => Locator::Pkcs11(locator.clone()),
        };
        backend.find(&locator, header.did())
    }

    /// Makes a key with the backend, companions for it, and writes both files.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Exists`] rather than overwrite anything. What was made
    /// on a device is removed again if the files cannot be written.
    pub fn create(
        &self,
        backend: &dyn Backend,
        request: &NewKey,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        file::private_dir(&self.home)?;
        let _lock = Lock::exclusive(&self.home)?;
        self.check_vacant()?;
        if backend.kind() != BackendKind::Age && backend.vault().is_none() {
            credentials.want_passphrase()?;
        }
        let credential = credentials.for_backend(backend.kind())?;
        let created = backend.create(request, &credential)?;
        let locator = created.locator.clone();
        let written = IdentityBundle::issue(created.key)
            .map_err(Error::from)
            .and_then(|bundle| self.write_new(backend, bundle, &locator, credentials));
        if written.is_err() {
            // Best effort: the first error is the one that matters.
            let _ = file::remove(&self.payload_path());
            let _ = file::remove(&self.header_path());
            if let Err(error) = backend.discard(&locator, &credential) {
                log::warn!("a new key could not be removed from its device: {error}");
            }
        }
        written
    }

    fn write_new(
        &self,
        backend: &dyn Backend,
        bundle: IdentityBundle<DidKey>,
        locator: &Locator,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        let (storage, secret) = new_storage(backend, bundle.did(), credentials)?;
        let locator = match locator {
            Locator::AgeFile(_) => None,
            Locator::Pkcs11(locator) => Some(locator.clone()),
        };
        let header =
            Header::new(bundle.signer(), backend.kind(), locator, storage, bundle.companions(), 1);
        let text = header.to_json()?;
        let seed = seed_of(bundle.signer());
        let payload = Payload::of_identity(seed, bundle.companions(), header::hash(&text));
        let sealed = self.seal(&payload, &secret)?;
        file::write(&self.header_path(), text.as_bytes())?;
        file::write(&self.payload_path(), &sealed)?;
        self.read_back(&text, &secret)?;
        Ok(bundle)
    }

    /// Opens the identity: checks the header against what is pinned and
    /// configured, opens the key, then the payload, and renews the companions
    /// when two thirds of their validity are over.
    ///
    /// # Errors
    ///
    /// Another DID, backend or token than pinned is refused before any PIN or
    /// passphrase is used; a header that is not this payload's, before
    /// anything but the opening challenge is signed.
    pub fn open(
        &self,
        backend: &dyn Backend,
        pinned: Option<&Did>,
        credentials: &Credentials,
    ) -> Result<Opened, Error> {
        self.open_at(backend, pinned, credentials, SystemTime::now())
    }

    /// As [`Self::open`], with the time given by the caller's own clock.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_at(
        &self,
        backend: &dyn Backend,
        pinned: Option<&Did>,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<Opened, Error> {
        // Once without the lock, whose file needs a directory; what counts is
        // read under it, when no other process is between the two files.
        self.read_header()?;
        let _lock = Lock::exclusive(&self.home)?;
        let (header, text) = self.read_header()?;
        check_header(&header, backend.kind(), pinned)?;
        let (key, secret, mut payload) = match self.find(backend, &header)? {
            KeyAtRest::Software(key) => {
                let Credential::Passphrase(passphrase) =
                    credentials.for_backend(BackendKind::Age)?
                else {
                    return Err(KeystoreError::PassphraseNeeded.into());
                };
                let (key, payload) = key.open_payload(&passphrase)?;
                (DidKey::from(key), StorageSecret::Passphrase(passphrase), payload)
            }
            KeyAtRest::Device(key) => {
                // Asked for before the PIN is spent.
                if matches!(header.storage(), Storage::Passphrase {}) {
                    credentials.want_passphrase()?;
                }
                let credential = credentials.for_backend(backend.kind())?;
                let key = key.unseal(credential.pin()?)?;
                let secret = stored_secret(backend, &header, credentials)?;
                let payload = self.unseal(&self.payload_file()?, &secret)?;
                (key, secret, payload)
            }
        };
        let header = self.matching_header(header, &text, &payload)?;
        let companions = payload.take_companions()?;
        let mut bundle = IdentityBundle::from_companions(key, companions)?;
        let mut renewal_failed = None;
        if bundle.wants_renewal(now) {
            let (renewed, error) = self.renew(bundle, &header, payload, &secret, now)?;
            bundle = renewed;
            renewal_failed = error;
        }
        Ok(Opened { bundle, renewal_failed })
    }

    /// The header that the payload names: the one beside it, or the previous
    /// one if a write was interrupted between the two files.
    fn matching_header(
        &self,
        header: Header,
        text: &str,
        payload: &Payload,
    ) -> Result<Header, KeystoreError> {
        let wanted = payload.header_sha256();
        if wanted == Some(header::hash(text).as_str()) {
            return Ok(header);
        }
        let previous_path = previous(&self.header_path());
        if let Some((old, old_text)) = self.read_header_at(&previous_path)?
            && wanted == Some(header::hash(&old_text).as_str())
            && (old.did(), old.locator(), old.storage())
                == (header.did(), header.locator(), header.storage())
        {
            file::rename(&previous_path, &self.header_path())?;
            file::remove(&previous(&self.payload_path()))?;
            return Ok(old);
        }
        Err(KeystoreError::HeaderMismatch { path: self.header_path() })
    }

    /// Renews and writes. A failed write leaves the old bundle and its files.
    fn renew(
        &self,
        mut bundle: IdentityBundle<DidKey>,
        header: &Header,
        payload: Payload,
        secret: &StorageSecret,
        now: SystemTime,
    ) -> Result<(IdentityBundle<DidKey>, Option<Error>), Error> {
        let old = bundle.companions().copy();
        bundle.renew(now, DEFAULT_VALIDITY)?;
        let new_header = Header::new(
            bundle.signer(),
            header.backend(),
            header.locator().cloned(),
            header.storage().clone(),
            bundle.companions(),
            header.generation().saturating_add(1),
        );
        let text = new_header.to_json()?;
        let seed = seed_of(bundle.signer());
        let payload = payload.renewed(seed, bundle.companions(), header::hash(&text));
        match self.replace(&text, &payload, secret) {
            Ok(()) => Ok((bundle, None)),
            Err(error) => {
                let bundle = IdentityBundle::from_companions(bundle.into_signer(), old)?;
                Ok((bundle, Some(error)))
            }
        }
    }

    /// Replaces both files. The previous ones are kept until the new ones were
    /// read back, decrypted and compared.
    fn replace(&self, text: &str, payload: &Payload, secret: &StorageSecret) -> Result<(), Error> {
        let sealed = self.seal(payload, secret)?;
        let (header, payload) = (self.header_path(), self.payload_path());
        let written = keep_previous(&header)
            .and_then(|()| keep_previous(&payload))
            .and_then(|()| file::write(&header, text.as_bytes()))
            .and_then(|()| file::write(&payload, &sealed))
            .map_err(Error::from)
            .and_then(|()| self.read_back(text, secret));
        // Either way the payload goes first: a header without its payload is
        // found again by `matching_header`, a payload without its header is not.
        match written {
            Ok(()) => {
                file::remove(&previous(&payload))?;
                file::remove(&previous(&header))?;
                Ok(())
            }
            Err(error) => {
                file::rename(&previous(&payload), &payload)?;
                file::rename(&previous(&header), &header)?;
                Err(error)
            }
        }
    }

    fn read_back(&self, text: &str, secret: &StorageSecret) -> Result<(), Error> {
        let mismatch = |path| KeystoreError::ReadBack { path };
        let (_, read) = self.read_header()?;
        if read != text {
            return Err(mismatch(self.header_path()).into());
        }
        let payload = self.unseal(&self.payload_file()?, secret)?;
        if payload.header_sha256() != Some(header::hash(text).as_str()) {
            return Err(mismatch(self.payload_path()).into());
        }
        Ok(())
    }

    fn seal(&self, payload: &Payload, secret: &StorageSecret) -> Result<Vec<u8>, OpenError> {
        match secret {
            StorageSecret::Passphrase(passphrase) => {
                let work = age::WorkFactor::new(self.age.work_factor).unwrap_or_default();
                age::seal_with_passphrase(payload, passphrase, work)
            }
            StorageSecret::Key(key) => age::seal_with_storage_key(payload, key),
        }
    }

    fn unseal(&self, file: &[u8], secret: &StorageSecret) -> Result<Payload, OpenError> {
        match secret {
            StorageSecret::Passphrase(passphrase) => {
                age::open_with_passphrase(file, passphrase, self.age.max_work_factor)
            }
            StorageSecret::Key(key) => age::open_with_storage_key(file, key),
        }
    }
}

fn check_header(
    header: &Header,
    configured: BackendKind,
    pinned: Option<&Did>,
) -> Result<(), KeystoreError> {
    if let Some(pinned) = pinned
        && pinned != header.did()
    {
        let (pinned, found) = (pinned.clone(), header.did().clone());
        return Err(KeystoreError::NotPinned { pinned, found });
    }
    if header.backend() != configured {
        return Err(KeystoreError::NotConfigured {
            what: "backend",
            found: header.backend().as_str().into(),
            configured: configured.as_str().into(),
        });
    }
    Ok(())
}

/// A storage key on the device if it can keep one, else a passphrase.
fn new_storage(
    backend: &dyn Backend,
    did: &Did,
    credentials: &Credentials,
) -> Result<(Storage, StorageSecret), Error> {
    if let Some(vault) = backend.vault() {
        let key = age::new_storage_key();
        if let Some(wrapped) = vault.wrap(did, &key)? {
            return Ok((Storage::Pkcs11AesGcm { wrapped }, StorageSecret::Key(key)));
        }
    }
    let passphrase = credentials.want_passphrase()?.clone();
    Ok((Storage::Passphrase {}, StorageSecret::Passphrase(passphrase)))
}

fn stored_secret(
    backend: &dyn Backend,
    header: &Header,
    credentials: &Credentials,
) -> Result<StorageSecret, Error> {
    match (header.storage(), backend.vault()) {
        (Storage::Passphrase {}, _) => {
            Ok(StorageSecret::Passphrase(credentials.want_passphrase()?.clone()))
        }
        (Storage::Pkcs11AesGcm { wrapped }, Some(vault)) => {
            Ok(StorageSecret::Key(vault.unwrap(header.did(), wrapped)?))
        }
        (Storage::Pkcs11AesGcm { .. }, None) => Err(DeviceError::StorageKey {
            token: header.locator().map(|locator| locator.token.clone()).unwrap_or_default(),
            source: None,
        }
        .into()),
    }
}

/// What goes into the payload of a software key, and of no other.
fn seed_of(key: &DidKey) -> Option<SigningSeed> {
    match key {
        DidKey::Software(key) => Some(SigningSeed::from_bytes(key.expose_secret())),
        _ => None,
    }
}

fn keep_previous(path: &Path) -> Result<(), KeystoreError> {
    match file::read_private(path)? {
        Some(bytes) => file::write(&previous(path), &bytes),
        None => Ok(()),
    }
}

fn previous(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".prev");
    PathBuf::from(name)
}
