//! Replacing the two files of an identity, so that a crash at any step leaves
//! one that opens.
//!
//! Header first, payload second, both under `.prev` before: until the payload
//! is the new one, the header that it names is found under `.prev`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::file;
use super::header::{self, Header};
use super::identity::{IdentityStore, seed_of};
use super::payload::Payload;
use super::unlock::StorageSecret;
use crate::bundle::{DEFAULT_VALIDITY, IdentityBundle};
use crate::error::{Error, KeystoreError};
use crate::key::DidKey;

impl IdentityStore {
    /// The header that the payload names: the one beside it, or the previous
    /// one if a write was interrupted between the two files.
    ///
    /// Where the interrupted write was to seal the keys anew, it is completed:
    /// the new objects have just opened them, and the old ones may soon not.
    /// Everything else in the header is taken from the one that is vouched for.
    pub(super) fn matching_header(
        &self,
        header: Header,
        text: &str,
        payload: Payload,
        secret: &StorageSecret,
    ) -> Result<(Header, Payload), Error> {
        let mismatch = || KeystoreError::HeaderMismatch { path: self.header_path() };
        let wanted = payload.header_sha256();
        if wanted == Some(header::hash(text).as_str()) {
            return Ok((header, payload));
        }
        let previous_path = previous(&self.header_path());
        let (old, old_text) = self.read_header_at(&previous_path)?.ok_or_else(mismatch)?;
        if wanted != Some(header::hash(&old_text).as_str()) || old.did() != header.did() {
            return Err(mismatch().into());
        }
        if old.storage() == header.storage() {
            file::rename(&previous_path, &self.header_path())?;
            file::remove(&previous(&self.payload_path()))?;
            return Ok((old, payload));
        }
        if old.tpm().is_none() || header.tpm().is_none() {
            return Err(mismatch().into());
        }
        let moved = old.moved_to(&header);
        let text = moved.to_json()?;
        let payload = payload.under_header(header::hash(&text));
        let sealed = secret.seal(&payload, &self.age)?;
        // The old header stays under `.prev` until the payload names the new.
        file::write(&self.header_path(), text.as_bytes())?;
        file::write(&self.payload_path(), &sealed)?;
        self.read_back(&text, secret)?;
        file::remove(&previous(&self.payload_path()))?;
        file::remove(&previous_path)?;
        Ok((moved, payload))
    }

    /// Renews and writes. A failed write leaves the old bundle and its files.
    pub(super) fn renew(
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
            &self.locator_of(header),
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
    pub(super) fn replace(
        &self,
        text: &str,
        payload: &Payload,
        secret: &StorageSecret,
    ) -> Result<(), Error> {
        let sealed = secret.seal(payload, &self.age)?;
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

    pub(super) fn read_back(&self, text: &str, secret: &StorageSecret) -> Result<(), Error> {
        let mismatch = |path| KeystoreError::ReadBack { path };
        let (_, read) = self.read_header()?;
        if read != text {
            return Err(mismatch(self.header_path()).into());
        }
        let payload = secret.unseal(&self.payload_file()?, &self.age)?;
        if payload.header_sha256() != Some(header::hash(text).as_str()) {
            return Err(mismatch(self.payload_path()).into());
        }
        Ok(())
    }
}

fn keep_previous(path: &Path) -> Result<(), KeystoreError> {
    match file::read_private(path)? {
        Some(bytes) => file::write(&previous(path), &bytes),
        None => Ok(()),
    }
}

pub(super) fn previous(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".prev");
    PathBuf::from(name)
}
