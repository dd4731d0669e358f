//! An identity that was found: everything that needs no credential is done.

use std::fmt;

use super::header::{Header, Storage};
use super::identity::{IdentityStore, check_header};
use super::pinned::Pinned;
use crate::backend::{Backend, BackendKind, Description, KeyAtRest, Locator};
use crate::did::Did;
use crate::error::{Error, OpenError};

/// An identity whose header was read and checked, and whose key was found.
///
/// What can be refused without a credential has been: another DID or backend
/// than is pinned, a header that is not valid, a key that is not there, is there
/// twice, or is another's. [`Self::needs`] says what to ask for; the methods that
/// take [`Credentials`](super::Credentials) go on from here. The lock is not held
/// while a person thinks: what another process has changed meanwhile is read
/// again under it.
#[must_use = "nothing is opened yet"]
pub struct Located<'a> {
    pub(super) store: IdentityStore,
    pub(super) backend: &'a dyn Backend,
    pub(super) pinned: Option<Did>,
    pub(super) header: Header,
    pub(super) text: String,
    pub(super) place: Locator,
    pub(super) key: KeyAtRest,
    /// Where the key is looked for, if not where the header says.
    pub(super) moved: Option<Locator>,
}

/// What opens an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needs {
    /// The passphrase of `identity.age`.
    Passphrase,
    /// The PIN of the device.
    Pin,
    /// The PIN of a token that keeps no storage key, and the passphrase of
    /// `identity.age`.
    PinAndPassphrase,
    /// Nothing that a person knows: a TPM opens it by its PCRs alone.
    Nothing,
}

impl Needs {
    /// What opens the identity with this header.
    #[must_use]
    pub fn of(header: &Header) -> Self {
        let pin = match header.backend() {
            BackendKind::Age => false,
            BackendKind::Pkcs11 => true,
            BackendKind::Tpm => header.tpm().is_some_and(|object| object.policy.pin.is_some()),
        };
        match (pin, matches!(header.storage(), Storage::Passphrase {})) {
            (true, true) => Self::PinAndPassphrase,
            (true, false) => Self::Pin,
            (false, true) => Self::Passphrase,
            (false, false) => Self::Nothing,
        }
    }

    /// Whether a PIN is asked for.
    #[must_use]
    pub const fn pin(self) -> bool {
        matches!(self, Self::Pin | Self::PinAndPassphrase)
    }

    /// Whether a passphrase is asked for.
    #[must_use]
    pub const fn passphrase(self) -> bool {
        matches!(self, Self::Passphrase | Self::PinAndPassphrase)
    }
}

impl IdentityStore {
    /// **Blocks** on device and files. Reads the header, checks it against what is
    /// configured and pinned, and finds the key. Uses no credential and takes no
    /// lock.
    ///
    /// # Errors
    ///
    /// [`KeystoreError`](crate::error::KeystoreError) if there is no identity, or
    /// another one than is pinned or configured; as [`Backend::find`].
    pub fn locate<'a>(
        &self,
        backend: &'a dyn Backend,
        pinned: Pinned<'_>,
    ) -> Result<Located<'a>, Error> {
        self.settle_switch(backend.kind(), pinned.did())?;
        Located::find(self.clone(), backend, pinned.did().cloned(), None)
    }
}

impl<'a> Located<'a> {
    pub(super) fn find(
        store: IdentityStore,
        backend: &'a dyn Backend,
        pinned: Option<Did>,
        moved: Option<Locator>,
    ) -> Result<Self, Error> {
        store.check_not_staged()?;
        let (header, text) = store.read_header()?;
        check_header(&header, backend.kind(), pinned.as_ref().map_or(Pinned::Nobody, Pinned::To))?;
        let place = moved.clone().unwrap_or_else(|| store.locator_of(&header));
        let key = backend.find(&place, header.did())?;
        Ok(Self { store, backend, pinned, header, text, place, key, moved })
    }

    /// Under the lock: as it is now, if another process has written it since.
    pub(super) fn brought_up_to_date(self) -> Result<Self, Error> {
        let is_the_same = match &self.key {
            // Its file is the payload, which is written after the header.
            KeyAtRest::Software(_) => false,
            KeyAtRest::Device(_) => self.store.read_header()?.1 == self.text,
        };
        if is_the_same {
            return Ok(self);
        }
        Self::find(self.store, self.backend, self.pinned, self.moved)
    }

    /// That the token has shown the key, if it has ever shown it without a login.
    pub(crate) fn check_shown(&self) -> Result<(), OpenError> {
        match &self.key {
            KeyAtRest::Device(key) => key.check_shown(),
            KeyAtRest::Software(_) => Ok(()),
        }
    }

    /// The header. It is **not** verified: that takes the credential.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The backend that has the key, and its device.
    #[must_use]
    pub fn describe(&self) -> Description {
        self.backend.describe()
    }

    /// What opens the identity.
    #[must_use]
    pub fn needs(&self) -> Needs {
        Needs::of(&self.header)
    }
}

impl fmt::Debug for Located<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Located")
            .field("did", self.header.did())
            .field("needs", &self.needs())
            .finish_non_exhaustive()
    }
}
