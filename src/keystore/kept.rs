//! What an identity that was opened needs to be renewed where it is kept: what opens
//! its payload, and no more. Its key signs in the bundle.

use std::sync::Arc;

use super::header::{self, Header};
use super::identity::IdentityStore;
use super::payload::Payload;
use super::unlock::StorageSecret;
use crate::agefile;
use crate::backend::{BackendKind, Locator, Pkcs11Locator};
use crate::bundle::{BundleError, Companions, Decide, Keeper, RenewalError};
use crate::did::Did;
use crate::error::{Error, FormatError, KeystoreError, OpenError};

/// The files of an identity, and what opens them: in locked memory, in the one copy
/// that clones of it share, wiped with the last bundle that was opened.
pub(super) struct Kept {
    store: IdentityStore,
    backend: BackendKind,
    secret: StorageSecret,
    /// Where the key was opened, if its token has shown it without a login.
    shown_at: Option<Pkcs11Locator>,
}

impl Kept {
    pub(super) fn of(store: &IdentityStore, backend: BackendKind, secret: &StorageSecret) -> Self {
        Self { store: store.clone(), backend, secret: secret.clone(), shown_at: None }
    }

    /// With a key that was opened there.
    pub(super) fn at(mut self, place: &Locator) -> Arc<dyn Keeper> {
        self.shown_at = match place {
            Locator::Pkcs11(locator) => Some(locator.clone()).filter(|locator| locator.shown),
            Locator::AgeFile(_) | Locator::Tpm(_) => None,
        };
        Arc::new(self)
    }

    /// Under the lock: header, payload and companions as they are now.
    fn read(&self, did: &Did) -> Result<(Header, Payload, Companions), Error> {
        let (header, text) = self.store.read_header()?;
        self.check(&header, did)?;
        let opened = self.secret.unseal(&self.store.payload_file()?, &self.store.age);
        let payload = self.store.about_payload(opened).map_err(|error| match error {
            Error::Open(error) if agefile::is_of_another_secret(&error) => {
                KeystoreError::Resealed { home: self.store.home().to_owned() }.into()
            }
            error => error,
        })?;
        let (header, mut payload) =
            self.store.matching_header(header, &text, payload, &self.secret)?;
        self.check(&header, did)?;
        if payload.did() != did {
            return Err(self.replaced("DID").into());
        }
        if !payload.has_seed_for(header.backend()) {
            return Err(self.damaged(OpenError::NoSeed).into());
        }
        let companions = self.store.companions(&header, &mut payload)?;
        companions.check(did)?;
        Ok((header, payload, companions))
    }

    fn check(&self, header: &Header, did: &Did) -> Result<(), KeystoreError> {
        if header.did() != did {
            return Err(self.replaced("DID"));
        }
        if header.backend() != self.backend {
            return Err(self.replaced("backend"));
        }
        Ok(())
    }

    fn replaced(&self, what: &'static str) -> KeystoreError {
        KeystoreError::Replaced { home: self.store.home().to_owned(), what }
    }

    fn damaged(&self, error: OpenError) -> KeystoreError {
        KeystoreError::NotOpened { path: self.store.payload_path(), source: Box::new(error) }
    }

    fn rewrite(&self, did: &Did, decide: &mut Decide<'_>) -> Result<Companions, Error> {
        let _lock = self.store.lock()?;
        let (header, mut payload, there) = self.read(did)?;
        let Some(next) = decide(&there)? else { return Ok(there) };
        // All else as it is there: where the key is, what opens the payload, the chain.
        // It may be elsewhere by now.
        let shown = self.shown_at.as_ref().zip(header.locator());
        let shown = shown.is_some_and(|(seen, there)| seen == there);
        let text = header.renewed(&next).seen(shown).to_json()?;
        payload.rebind(&next, header::hash(&text));
        self.store.replace(&text, &payload, &self.secret)?;
        Ok(next)
    }

    /// Of the generation that is there: nothing else is changed.
    fn write_shown(&self, did: &Did, at: &Pkcs11Locator) -> Result<(), Error> {
        let _lock = self.store.lock()?;
        let (header, mut payload, there) = self.read(did)?;
        if header.locator().is_none_or(|there| there != at || there.shown) {
            return Ok(());
        }
        let text = header.seen(true).to_json()?;
        payload.rebind(&there, header::hash(&text));
        self.store.replace(&text, &payload, &self.secret)
    }
}

impl Keeper for Kept {
    fn shows(&self, certificate: &[u8]) -> Result<bool, KeystoreError> {
        Ok(self.store.header()?.certificate() == certificate)
    }

    fn renew(&self, did: &Did, decide: &mut Decide<'_>) -> Result<Companions, RenewalError> {
        self.rewrite(did, decide).map_err(not_written)
    }

    fn record_shown(&self, did: &Did, at: &Pkcs11Locator) -> Result<(), RenewalError> {
        self.write_shown(did, at).map_err(not_written)
    }
}

fn not_written(error: Error) -> RenewalError {
    match error {
        Error::Bundle(error) => error.into(),
        Error::Keystore(error) => error.into(),
        Error::Open(error) => error.into(),
        Error::NoRandomness(error) => BundleError::from(error).into(),
        // None that is known: nothing else is asked.
        other => KeystoreError::Format(FormatError::Payload {
            reason: "the identity cannot be renewed",
            source: Some(Box::new(other)),
        })
        .into(),
    }
}
