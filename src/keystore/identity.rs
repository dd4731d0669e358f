//! An identity on disk: made once, opened with its credential, renewed.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::file;
use super::header::{self, Header, Storage};
use super::legacy::Carried;
use super::lock::Lock;
use super::payload::Payload;
use super::replace::previous;
use super::rule;
use super::succession::check_end;
use super::unlock::{Credentials, StorageSecret, new_storage, stored_secret};
use crate::backend::{Backend, BackendKind, Credential, KeyAtRest, Locator, NewKey};
use crate::bundle::{IdentityBundle, clock_is_set};
use crate::config::AgeConfig;
use crate::did::Did;
use crate::error::{Error, KeystoreError};
use crate::key::DidKey;
use crate::rotation::{RotationChain, StoredChain};
use crate::secret::SigningSeed;

const HEADER: &str = "identity.json";
const PAYLOAD: &str = "identity.age";

/// The directory of one identity.
#[derive(Debug, Clone)]
pub struct IdentityStore {
    home: PathBuf,
    pub(super) age: AgeConfig,
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
    stored: StoredChain,
}

impl Opened {
    /// The chain of keys that ends in this one; `None` if it is nobody's
    /// successor.
    ///
    /// # Errors
    ///
    /// [`Error::Rotation`] if what is stored does not verify, or is of a newer
    /// version.
    pub fn rotation_chain(&self) -> Result<Option<RotationChain>, Error> {
        let chain = self.stored.read()?;
        if let Some(chain) = &chain {
            check_end(chain, self.bundle.did())?;
        }
        Ok(chain)
    }
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

    pub(super) fn header_path(&self) -> PathBuf {
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

    pub(super) fn read_header(&self) -> Result<(Header, String), KeystoreError> {
        rule::check_directory(&self.home)?;
        let header = self.read_header_at(&self.header_path())?;
        // Half an identity is neither one nor none.
        match (header, file::is_there(&self.payload_path())?) {
            (Some(header), true) => Ok(header),
            (None, false) => Err(KeystoreError::NoIdentity { home: self.home.clone() }),
            (Some(_), false) => Err(KeystoreError::Incomplete { missing: self.payload_path() }),
            (None, true) => Err(KeystoreError::Incomplete { missing: self.header_path() }),
        }
    }

    pub(super) fn read_header_at(
        &self,
        path: &Path,
    ) -> Result<Option<(Header, String)>, KeystoreError> {
        let invalid = |source| KeystoreError::Header { path: path.to_owned(), source };
        let Some(bytes) = file::read_private(path)? else { return Ok(None) };
        let text = String::from_utf8(bytes).map_err(|error| invalid(error.into()))?;
        let header = Header::parse(&text).map_err(invalid)?;
        Ok(Some((header, text)))
    }

    pub(crate) fn payload_file(&self) -> Result<Vec<u8>, KeystoreError> {
        file::read_private(&self.payload_path())?
            .ok_or_else(|| KeystoreError::Incomplete { missing: self.payload_path() })
    }

    /// Whether an identity can be made here.
    ///
    /// A header alone is in nobody's way: the payload is written last, so it is
    /// what is left of a [`Self::create`] that was cut off, and no key can be
    /// opened by it.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Exists`] if there is one, or a payload without its
    /// header; `Io` if it cannot be told.
    pub fn check_vacant(&self) -> Result<(), KeystoreError> {
        if file::is_there(&self.payload_path())? {
            let header = self.header_path();
            let path = if file::is_there(&header)? { header } else { self.payload_path() };
            return Err(KeystoreError::Exists { path });
        }
        // A payload that somebody has lost may still be there as this.
        let path = previous(&self.payload_path());
        if file::is_there(&path)? {
            return Err(KeystoreError::Exists { path });
        }
        Ok(())
    }

    /// Makes room for a new identity, under the lock.
    ///
    /// A header that is left may be all that is left of a key: a TPM's key *is*
    /// in it. So it is put aside and not removed, unless it is one of a software
    /// key, of which it holds nothing.
    pub(super) fn clear(&self) -> Result<(), KeystoreError> {
        self.check_vacant()?;
        self.sweep();
        let path = self.header_path();
        let Some(bytes) = file::read_private(&path)? else { return Ok(()) };
        let left = std::str::from_utf8(&bytes).ok().and_then(|text| Header::parse(text).ok());
        if left.as_ref().is_some_and(|header| header.backend() == BackendKind::Age) {
            log::warn!(
                "an earlier attempt to make an identity was cut off: {} is replaced",
                path.display(),
            );
            return file::remove(&path);
        }
        let kept = self.home.join(format!("{HEADER}.{}", short_hash(&bytes)));
        log::warn!(
            "there is the header of a key in a device without its identity.age, of {}: it is \
             kept as {}, and the key stays in its device",
            left.map_or_else(|| "an unknown DID".into(), |header| header.did().to_string()),
            kept.display(),
        );
        file::rename(&path, &kept)
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
        backend.find(&self.locator_of(header), header.did())
    }

    pub(super) fn locator_of(&self, header: &Header) -> Locator {
        header.device_locator().unwrap_or_else(|| Locator::AgeFile(self.payload_path()))
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
        self.clear()?;
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
            self.remove_files();
            if let Err(error) = backend.discard(&locator, &credential) {
                log::warn!("a new key could not be removed from its device: {error}");
            }
        }
        written
    }

    /// What a failed attempt has written. Best effort: the first error is the
    /// one that matters.
    pub(super) fn remove_files(&self) {
        let _ = file::remove(&self.payload_path());
        let _ = file::remove(&self.header_path());
    }

    pub(super) fn write_new(
        &self,
        backend: &dyn Backend,
        bundle: IdentityBundle<DidKey>,
        locator: &Locator,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        self.write_new_with(backend, bundle, locator, credentials, None)
    }

    /// As [`Self::write_new`], with what an older keystore held.
    pub(super) fn write_new_with(
        &self,
        backend: &dyn Backend,
        bundle: IdentityBundle<DidKey>,
        locator: &Locator,
        credentials: &Credentials,
        legacy: Option<Carried>,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        let (storage, secret) = new_storage(backend, bundle.did(), credentials)?;
        let header =
            Header::new(bundle.signer(), backend.kind(), locator, storage, bundle.companions(), 1);
        let text = header.to_json()?;
        let seed = seed_of(bundle.signer());
        let payload = Payload::of_identity(seed, bundle.companions(), header::hash(&text))
            .with_legacy(legacy);
        let sealed = secret.seal(&payload, &self.age)?;
        // The payload last: with it the identity is there.
        file::write(&self.header_path(), text.as_bytes())?;
        file::write(&self.payload_path(), &sealed)?;
        self.read_back(&text, &payload, &secret)?;
        Ok(bundle)
    }

    /// Opens the identity: checks the header against what is pinned and
    /// configured, opens the key, then the payload, and renews the companions
    /// when two thirds of their validity are over, when peers refuse them (see
    /// [`IdentityBundle::wants_renewal`]), or when there is no DID document yet.
    /// By a clock that was not set nothing is renewed, and a warning is logged.
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
        let _lock = self.lock_identity()?;
        let unlocked = self.unlock_identity(backend, pinned, credentials)?;
        let stored = unlocked.payload.rotation_chain().clone();
        let bundle = &unlocked.bundle;
        if !clock_is_set(now) {
            log::warn!(
                "the clock is not set: the TLS certificate is left as it is, and is not valid by it"
            );
        } else if bundle.wants_renewal(now) || bundle.did_document().is_none() {
            let (bundle, renewal_failed) = self.renew_unlocked(unlocked, now)?;
            return Ok(Opened { bundle, renewal_failed, stored });
        }
        Ok(Opened { bundle: unlocked.bundle, renewal_failed: None, stored })
    }

    /// Opens the identity as it is: nothing is renewed, whatever the time. Header
    /// and payload are not written, but for putting in order what an interrupted
    /// write has left.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_without_renewal(
        &self,
        backend: &dyn Backend,
        pinned: Option<&Did>,
        credentials: &Credentials,
    ) -> Result<Opened, Error> {
        let _lock = self.lock_identity()?;
        let unlocked = self.unlock_identity(backend, pinned, credentials)?;
        let stored = unlocked.payload.rotation_chain().clone();
        Ok(Opened { bundle: unlocked.bundle, renewal_failed: None, stored })
    }

    /// Opens the identity, and replaces its TLS key and certificate although
    /// they are not due: after a suspected theft of the TLS key, or where a
    /// peer says that a later number was seen.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]; [`BundleError::ClockNotSet`]; and if it cannot be
    /// written: the old certificate stays then.
    ///
    /// [`BundleError::ClockNotSet`]: crate::bundle::BundleError::ClockNotSet
    pub fn renew(
        &self,
        backend: &dyn Backend,
        pinned: Option<&Did>,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        let _lock = self.lock_identity()?;
        let unlocked = self.unlock_identity(backend, pinned, credentials)?;
        match self.renew_unlocked(unlocked, SystemTime::now())? {
            (_, Some(error)) => Err(error),
            (bundle, None) => Ok(bundle),
        }
    }

    /// Once without the lock, whose file needs a directory; what counts is read
    /// under it, when no other process is between the two files.
    fn lock_identity(&self) -> Result<Lock, Error> {
        self.read_header()?;
        Ok(Lock::exclusive(&self.home)?)
    }

    /// Under the lock.
    fn unlock_identity(
        &self,
        backend: &dyn Backend,
        pinned: Option<&Did>,
        credentials: &Credentials,
    ) -> Result<UnlockedIdentity, Error> {
        let (header, text) = self.read_header()?;
        check_header(&header, backend.kind(), pinned)?;
        let locator = self.locator_of(&header);
        let (key, secret, payload) = self.unlock(backend, &header, &locator, credentials)?;
        let (header, mut payload) = self.matching_header(header, &text, payload, &secret)?;
        self.sweep();
        let companions = self.companions(&header, &mut payload)?;
        let bundle = IdentityBundle::from_companions(key, companions)?;
        Ok(UnlockedIdentity { bundle, header, payload, secret })
    }

    /// Opens the key at a locator, and the payload.
    pub(super) fn unlock(
        &self,
        backend: &dyn Backend,
        header: &Header,
        locator: &Locator,
        credentials: &Credentials,
    ) -> Result<(DidKey, StorageSecret, Payload), Error> {
        match backend.find(locator, header.did())? {
            KeyAtRest::Software(key) => {
                let Credential::Passphrase(passphrase) =
                    credentials.for_backend(BackendKind::Age)?
                else {
                    return Err(KeystoreError::PassphraseNeeded.into());
                };
                let (key, payload) = self.about_payload(key.open_payload(&passphrase))?;
                Ok((DidKey::from(key), StorageSecret::Passphrase(passphrase), payload))
            }
            KeyAtRest::Device(key) => {
                // Asked for before the PIN is spent.
                if matches!(header.storage(), Storage::Passphrase {}) {
                    credentials.want_passphrase()?;
                }
                let credential = credentials.for_backend(backend.kind())?;
                let key = key.unseal(credential.pin(backend.kind())?)?;
                let secret = stored_secret(backend, header, credentials)?;
                let opened = secret.unseal(&self.payload_file()?, &self.age);
                let payload = self.about_payload(opened)?;
                Ok((key, secret, payload))
            }
        }
    }
}

/// An identity that is open, and what it is written again with.
pub(super) struct UnlockedIdentity {
    pub(super) bundle: IdentityBundle<DidKey>,
    pub(super) header: Header,
    pub(super) payload: Payload,
    pub(super) secret: StorageSecret,
}

pub(super) fn check_header(
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

/// Enough to tell what was put aside from all else that was.
fn short_hash(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let hash: [u8; 32] = sha2::Sha256::digest(bytes).into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    super::hex::encode(&[a, b, c, d, e, f, g, h])
}

/// What goes into the payload of a software key, and of no other.
pub(super) fn seed_of(key: &DidKey) -> Option<SigningSeed> {
    match key {
        DidKey::Software(key) => Some(SigningSeed::from_bytes(key.expose_secret())),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
