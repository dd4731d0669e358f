//! Replacing the two files of an identity, so that a crash at any step leaves
//! one that opens.
//!
//! Header first, payload second, both under `.prev` before: until the payload
//! is the new one, the header that it names is found under `.prev`.

use std::path::Path;

use super::header::{self, Header};
use super::identity::IdentityStore;
use super::payload::Payload;
use super::unlock::StorageSecret;
use crate::error::{Error, KeystoreError, OpenError};
use crate::file;
use crate::file::names::previous;

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
            // What is there is whole: what was kept while it was written can go.
            if let Err(error) = self.remove_previous() {
                log::warn!("a previous version of the identity could not be removed: {error}");
            }
            return Ok((header, payload));
        }
        let previous_path = previous(&self.header_path());
        let (old, old_text) = self.read_header_at(&previous_path)?.ok_or_else(mismatch)?;
        if wanted != Some(header::hash(&old_text).as_str()) || old.did() != header.did() {
            return Err(mismatch().into());
        }
        if old.storage() == header.storage() {
            let put_back = file::rename(&previous_path, &self.header_path())
                .and_then(|()| file::remove(&previous(&self.payload_path())));
            if let Err(error) = put_back {
                not_repaired(&error);
            }
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
        let completed = file::write(&self.header_path(), text.as_bytes())
            .and_then(|()| file::write(&self.payload_path(), &sealed))
            .map_err(Error::from)
            .and_then(|()| self.read_back(&text, &payload, secret))
            .and_then(|()| Ok(self.remove_previous()?));
        if let Err(error) = completed {
            not_repaired(&error);
        }
        Ok((moved, payload))
    }

    /// **Blocks** on files. A replacement that was cut off between the two files, taken back: the
    /// payload is still the one that was kept, so the header that it names is, too. For whoever
    /// looks at the header before the payload can be opened.
    pub(crate) fn put_back_cut_off(&self) -> Result<(), KeystoreError> {
        let Some(_lock) = self.lock_if_there()? else { return Ok(()) };
        let [header, age] = [self.header_path(), self.payload_path()];
        let kept = file::read_private(&previous(&age))?;
        if kept.is_none() || kept != file::read_private(&age)? {
            return Ok(());
        }
        if file::is_there(&previous(&header))? {
            file::rename(&previous(&header), &header)?;
        }
        file::remove(&previous(&age))
    }

    /// Replaces both files. The previous ones are kept until the new ones were
    /// read back, decrypted and compared; if that fails they are put back. If it
    /// succeeds the new ones count, even where an old one cannot be removed: the
    /// next opening tries again.
    pub(super) fn replace(
        &self,
        text: &str,
        payload: &Payload,
        secret: &StorageSecret,
    ) -> Result<(), Error> {
        // `matching_header` has put things in order. Where it could not, what is
        // kept may be the only header that fits; and it is not what would have
        // to be put back.
        for path in [&self.header_path(), &self.payload_path()].map(|path| previous(path)) {
            if file::is_there(&path)? {
                return Err(KeystoreError::Unrepaired { path }.into());
            }
        }
        let sealed = secret.seal(payload, &self.age)?;
        let (header, age) = (self.header_path(), self.payload_path());
        let written = keep_previous(&header)
            .and_then(|()| keep_previous(&age))
            .and_then(|()| file::write(&header, text.as_bytes()))
            .and_then(|()| file::write(&age, &sealed))
            .map_err(Error::from)
            .and_then(|()| self.read_back(text, payload, secret));
        match written {
            Ok(()) => {
                if let Err(error) = self.remove_previous() {
                    log::warn!("a previous version of the identity could not be removed: {error}");
                }
                Ok(())
            }
            Err(error) => {
                // Both or none is needed to open. The payload goes first, as
                // below; the first error is the one that matters. What was not
                // kept was not changed either.
                let put_back = [&age, &header].into_iter().try_for_each(|path| {
                    let kept = previous(path);
                    if file::is_there(&kept)? { file::rename(&kept, path) } else { Ok(()) }
                });
                if let Err(error) = put_back {
                    log::warn!("the previous version was not put back, and is still good: {error}");
                }
                Err(error)
            }
        }
    }

    /// The payload goes first: a header without its payload is found again by
    /// `matching_header`, a payload without its header is not.
    pub(super) fn remove_previous(&self) -> Result<(), KeystoreError> {
        file::remove(&previous(&self.payload_path()))?;
        file::remove(&previous(&self.header_path()))
    }

    /// Reads both files as the next process will, and compares them with what
    /// was meant to be written.
    pub(super) fn read_back(
        &self,
        text: &str,
        payload: &Payload,
        secret: &StorageSecret,
    ) -> Result<(), Error> {
        let mismatch = |path| KeystoreError::ReadBack { path };
        let (_, read) = self.read_header()?;
        if read != text {
            return Err(mismatch(self.header_path()).into());
        }
        let opened = secret.unseal(&self.payload_file()?, &self.age);
        let read = self.about_payload(opened)?;
        if read.to_json()? != payload.to_json()? {
            return Err(mismatch(self.payload_path()).into());
        }
        Ok(())
    }

    /// Names the payload's file, where that and not a credential is the matter.
    pub(super) fn about_payload<T>(&self, result: Result<T, OpenError>) -> Result<T, Error> {
        result.map_err(|error| match error {
            OpenError::Damaged(_)
            | OpenError::Payload(_)
            | OpenError::ExcessiveWork { .. }
            | OpenError::NoSeed => {
                let (path, source) = (self.payload_path(), Box::new(error));
                KeystoreError::NotOpened { path, source }.into()
            }
            error => error.into(),
        })
    }
}

/// The identity is whole in memory, and as good on disk as it was.
fn not_repaired(error: &dyn std::fmt::Display) {
    log::warn!("an interrupted write could not be repaired, which is tried again: {error}");
}

fn keep_previous(path: &Path) -> Result<(), KeystoreError> {
    match file::read_private(path)? {
        Some(bytes) => file::write(&previous(path), &bytes),
        None => Ok(()),
    }
}
