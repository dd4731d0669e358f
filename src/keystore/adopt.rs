//! An identity around a key that its device has already.

use super::draft::{Draft, New, stored};
use super::header::Header;
use super::identity::IdentityStore;
use super::payload::Payload;
use super::undo::Undo;
use crate::backend::{Backend, Credentials, KeyAtRest, Locator, mark};
use crate::bundle::{IdentityBundle, check_clock};
use crate::did::Did;
use crate::error::{DeviceError, Error};
use crate::key::DidKey;

impl IdentityStore {
    /// The header that an earlier identity of this DID has left here.
    fn header_left(&self, did: &Did) -> Option<Header> {
        let left = self.read_header_at(&self.header_path()).ok().flatten();
        left.map(|(header, _)| header).filter(|header| header.did() == did)
    }

    /// **Blocks** on device and files. Opens the key at a locator, and makes
    /// companions for it. The key itself is left as it is, whatever happens; its
    /// evidence says what it is.
    ///
    /// # Errors
    ///
    /// As [`Self::draft`]; or if the key is not there, or does not open.
    pub fn draft_around<'a>(
        &self,
        backend: &'a dyn Backend,
        locator: &Locator,
        did: &Did,
        credentials: &Credentials,
    ) -> Result<Draft<'a>, Error> {
        self.draft_around_known(backend, (locator, did), credentials, false)
    }

    /// The same, of a DID that may have had an identity before.
    pub(crate) fn draft_around_known<'a>(
        &self,
        backend: &'a dyn Backend,
        (locator, did): (&Locator, &Did),
        credentials: &Credentials,
        was_known: bool,
    ) -> Result<Draft<'a>, Error> {
        check_clock()?;
        let mut undo = Undo::begin(self)?;
        if !backend.makes_storage_keys() {
            credentials.want_passphrase_beside_pin()?;
        }
        let KeyAtRest::Device(key) = backend.find(locator, did)? else {
            return Err(DeviceError::ForeignLocator { backend: backend.kind() }.into());
        };
        let (epoch, left) = (self.epoch_left(did), self.header_left(did));
        // What is left here says it, or the key itself.
        let left_until = left.as_ref().and_then(Header::in_file_until);
        let in_file_until = left_until.max(mark::of_locator(locator));
        let place = locator.clone().seen(key.is_shown());
        undo.check_clear(backend, (did, locator))?;
        // Opened first: there the key is compared before the PIN is sent.
        let key = key.unseal(&credentials.pin_for(backend.kind())?)?;
        undo.clear(backend, Some((did, locator)), credentials)?;
        let payload = Payload::empty(did.clone()).with_in_file_until(in_file_until);
        let key = payload.judge(key);
        let key = match left {
            Some(left) => left.judge(key),
            None => key,
        };
        let bundle = IdentityBundle::issue_around(key, epoch, None)?;
        let is_second = was_known || self.has_left(did) || backend.had_identity(locator, did)?;
        let plan = backend.plan(Some(did))?;
        undo.announce(&plan)?;
        undo.will_remove(backend, &plan, credentials);
        let stored = stored(backend, &plan, did, place, credentials)?;
        if is_second {
            log::warn!(
                "{did} gets a new X25519 key and a DID document of its own, since its key was there \
                 before: if it has an identity elsewhere, or had one, what was encrypted to that \
                 one does not open here, and peers may know two documents; restore a backup of it \
                 instead"
            );
        }
        let new = New::of(self, bundle, payload, stored, 1)?;
        Ok(Draft::new(new, undo).with_new_did())
    }

    /// **Blocks** on device, scrypt and files. Opens the key at a locator, makes
    /// companions for it, and writes both files: [`Self::draft_around`], then
    /// [`Draft::write`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn adopt(
        &self,
        backend: &dyn Backend,
        locator: &Locator,
        did: &Did,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        self.draft_around(backend, locator, did, credentials)?.write()
    }
}
