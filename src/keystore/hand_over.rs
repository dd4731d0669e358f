//! Handing over to another identity: one statement by each key, whoever asks for it,
//! how often, at the same time, and whatever is cut off in between.

use std::fmt;

use super::identity::IdentityStore;
use super::journal::During;
use super::located::Located;
use super::payload::Payload;
use super::pinned::Pinned;
use super::session::Session;
use super::succession::check_end;
use crate::backend::{Backend, Credentials};
use crate::bundle::RetiredDecryptionKey;
use crate::did::Did;
use crate::error::Error;
use crate::file::{self, names};
use crate::rotation::{RotationChain, RotationError, RotationStatement, RotationTerms};

/// What came of handing over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "those who know the old identity need the chain"]
pub struct Handover {
    /// The whole chain, which ends in the successor: what is given to peers.
    pub chain: RotationChain,
    /// The statement is that of an earlier call, which may have been cut off: its time is
    /// that of that call, and so are its reason and commitment, which were asked for again.
    pub stated_before: bool,
    /// The older DIDs whose decryption key the successor has: what was encrypted to them
    /// opens with the successor, until it removes the key
    /// ([`Located::remove_retired_decryption_keys`]). Of no others.
    pub decrypts_for: Vec<Did>,
}

/// What a statement means that the identity has made earlier, for another successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Earlier {
    /// It is the only one that its key makes: [`RotationError::HandedOver`].
    Binds,
    /// It was never given to anybody, and another one is made in its place. If it was
    /// given to anybody, the two are a **fork**, and peers refuse both.
    NeverGivenOut,
}

/// Another identity, which takes over, and what opens it.
#[derive(Clone, Copy)]
pub struct Successor<'a> {
    store: &'a IdentityStore,
    backend: &'a dyn Backend,
    pinned: Pinned<'a>,
    credentials: &'a Credentials,
    carries: bool,
}

impl<'a> Successor<'a> {
    /// The identity in a store, as [`IdentityStore::open`] opens it.
    #[must_use]
    pub const fn new(
        store: &'a IdentityStore,
        backend: &'a dyn Backend,
        pinned: Pinned<'a>,
        credentials: &'a Credentials,
    ) -> Self {
        Self { store, backend, pinned, credentials, carries: false }
    }

    /// The same, which also takes over the decryption key: see
    /// [`HandingOver::carrying_decryption_key`].
    #[must_use]
    pub const fn carrying_decryption_key(self) -> Self {
        Self { carries: true, ..self }
    }
}

impl IdentityStore {
    /// **Blocks** on device, scrypt and files. Hands this identity over to another
    /// one: both keys sign that the successor goes on in its place, once.
    ///
    /// Both stores are locked throughout. The statement is noted beside this identity
    /// before it is anywhere else, then stored in the successor's payload, then given
    /// out. So whatever is cut off, a second call for the same successor gives the same
    /// statement again ([`Handover::stated_before`]) and stores it where it is missing;
    /// and of several calls at the same time, for several successors, one is heard.
    ///
    /// Header, payload and configuration of this identity are not changed: it goes on
    /// until peers have followed. A copy of its files without the note
    /// (`handed-over.json`), and its key used without its store, know nothing of the
    /// statement.
    ///
    /// # Errors
    ///
    /// [`RotationError::HandedOver`] if it has handed over to another successor, before
    /// any credential is used; [`RotationError::StatedBefore`] if it has handed over to
    /// this one for another reason or with another commitment;
    /// [`RotationError::AlreadyStored`] if the successor has
    /// taken over from another key; as [`RotationStatement::sign_unguarded`] and
    /// [`Self::open`], for both. Nothing is noted and nothing stored then, but for a
    /// successor that cannot be written: call again. Neither may be a part of a migration that
    /// is under way ([`MigrationError::UnderWay`](crate::error::MigrationError::UnderWay)).
    pub fn hand_over(
        &self,
        backend: &dyn Backend,
        pinned: Pinned<'_>,
        credentials: &Credentials,
        successor: &Successor<'_>,
        terms: &RotationTerms,
    ) -> Result<Handover, Error> {
        terms.check_clock()?;
        let new = successor.store.locate(successor.backend, successor.pinned)?;
        let old = self.locate(backend, pinned)?;
        let old = old.prepare_handover(credentials, new.header().did(), Earlier::Binds)?;
        let old = HandingOver { carries: successor.carries, ..old };
        old.to(new, successor.credentials, terms)
    }

    fn check_handover(
        &self,
        did: &Did,
        successor: &Did,
        earlier: Earlier,
    ) -> Result<Option<RotationChain>, Error> {
        match self.handed_over(did)? {
            Some(noted) if noted.current() == successor => Ok(Some(noted)),
            Some(noted) if earlier == Earlier::Binds => {
                let (did, to) = (did.clone(), noted.current().clone());
                let given_up = self.gave_up(&to);
                Err(RotationError::HandedOver { did, to, given_up }.into())
            }
            _ => Ok(None),
        }
    }
}

impl Located<'_> {
    /// **Blocks** on device, scrypt and files. Opens the identity that hands over, to
    /// [hand over](HandingOver::to) to the identity of another DID. It stays locked
    /// until then.
    ///
    /// # Errors
    ///
    /// As [`IdentityStore::hand_over`], for the old identity.
    pub fn prepare_handover(
        self,
        credentials: &Credentials,
        successor: &Did,
        earlier: Earlier,
    ) -> Result<HandingOver, Error> {
        self.store.check_unmoved(During::Nothing)?;
        self.prepare_handover_as_moved(credentials, successor, earlier)
    }

    /// The same, as a step of a migration.
    pub(crate) fn prepare_handover_as_moved(
        self,
        credentials: &Credentials,
        successor: &Did,
        earlier: Earlier,
    ) -> Result<HandingOver, Error> {
        let did = self.header.did();
        if did.verifying_key() == successor.verifying_key() {
            return Err(RotationError::SameKey { did: did.clone() }.into());
        }
        // Before a credential is used, and once more under the lock.
        self.store.check_handover(did, successor, earlier)?;
        let old = self.session(credentials)?;
        let stated = old.store.check_handover(old.bundle.did(), successor, earlier)?;
        let before = old.payload.rotation_chain().read()?;
        if let Some(before) = &before {
            check_end(before, old.bundle.did())?;
        }
        Ok(HandingOver { old, before, stated, successor: successor.clone(), carries: false })
    }

    /// Stores the chain by which an identity has handed over to this one, and which was cut off
    /// before it was stored: where that identity does not open any more. Whether this one has its
    /// decryption key.
    pub(crate) fn take_over_as_stated(
        self,
        credentials: &Credentials,
        chain: &RotationChain,
    ) -> Result<bool, Error> {
        let mut new = self.session(credentials)?;
        check_end(chain, new.bundle.did())?;
        match new.payload.rotation_chain().read()? {
            Some(stored) if stored == *chain => {}
            Some(_) => {
                let did = new.bundle.did().clone();
                return Err(RotationError::AlreadyStored { did }.into());
            }
            None => {
                new.payload.set_rotation_chain(chain)?;
                new.rewrite()?;
            }
        }
        let last = chain.last();
        let old = last.old().did();
        Ok(new.payload.retired_keys().as_slice().iter().any(|key| key.did() == old))
    }
}

/// An identity that is open, under its lock, to hand over to another one.
#[must_use = "nothing is handed over yet"]
pub struct HandingOver {
    old: Session,
    /// The chain that ends in it.
    before: Option<RotationChain>,
    /// The one that ends in the successor, if it was made before.
    stated: Option<RotationChain>,
    successor: Did,
    /// The successor gets the decryption key.
    carries: bool,
}

impl HandingOver {
    /// The chain that ends in the identity which hands over; `None` if it is nobody's
    /// successor.
    #[must_use]
    pub const fn rotation_chain(&self) -> Option<&RotationChain> {
        self.before.as_ref()
    }

    /// The same, with the decryption key: the successor's payload also gets the X25519
    /// key of this identity, and those that it has of older ones, as
    /// [`RetiredDecryptionKey`]s. Without it, what was encrypted to this DID opens with
    /// this identity's own files only.
    ///
    /// A later call for the same successor brings the key as well.
    ///
    /// [`RetiredDecryptionKey`]: crate::bundle::RetiredDecryptionKey
    pub fn carrying_decryption_key(self) -> Self {
        Self { carries: true, ..self }
    }

    /// **Blocks** on device, scrypt and files. Opens the successor, and hands over:
    /// see [`IdentityStore::hand_over`].
    ///
    /// # Errors
    ///
    /// As there; [`RotationError::NotThisIdentity`] if it is another DID's than the one
    /// that it was prepared for.
    pub fn to(
        self,
        successor: Located<'_>,
        credentials: &Credentials,
        terms: &RotationTerms,
    ) -> Result<Handover, Error> {
        self.check_successor(successor.header().did())?;
        successor.store.check_unmoved(During::Nothing)?;
        terms.check_clock()?;
        if let Some(stated) = &self.stated {
            stated.last().check_terms(terms)?;
        }
        let mut new = successor.session(credentials)?;
        // Once more under its lock, which a migration takes before it begins.
        new.store.check_unmoved(During::Nothing)?;
        self.check_successor(new.bundle.did())?;
        let stored = new.payload.rotation_chain().read()?;
        let (chain, stated_before) = match (&self.stated, stored) {
            (Some(stated), None) => (stated.clone(), true),
            (None, None) => (self.state(&new, terms)?, false),
            (Some(stated), Some(stored)) if *stated == stored => (stored, true),
            // Its note is lost, as where the old identity was put back from a backup.
            (None, Some(stored)) if stored.last().old().did() == self.old.bundle.did() => {
                stored.last().check_terms(terms)?;
                (stored, true)
            }
            (_, Some(_)) => {
                return Err(RotationError::AlreadyStored { did: self.successor }.into());
            }
        };
        if self.stated.is_none() {
            self.note(&chain)?;
        }
        self.old.store.take_up(&self.successor)?;
        let mut changes = new.payload.rotation_chain().read()?.is_none();
        if changes {
            new.payload.set_rotation_chain(&chain)?;
        }
        if self.carries {
            changes |= self.carry(&chain, &mut new.payload);
        }
        if changes {
            new.rewrite()?;
        }
        let mut decrypts_for: Vec<Did> = Vec::new();
        for key in new.payload.retired_keys().as_slice() {
            if !decrypts_for.contains(key.did()) {
                decrypts_for.push(key.did().clone());
            }
        }
        Ok(Handover { chain, stated_before, decrypts_for })
    }

    /// Whether the successor had not all of them.
    fn carry(&self, chain: &RotationChain, new: &mut Payload) -> bool {
        let companions = self.old.bundle.companions();
        let (did, at) = (self.old.bundle.did().clone(), chain.last().time());
        let own = RetiredDecryptionKey::new(did, at, &companions.x25519);
        let older = self.old.payload.retired_keys().as_slice().iter().cloned();
        // All of them, also after the first that is new.
        let added: Vec<bool> = older.chain([own]).map(|key| new.add_retired_key(key)).collect();
        added.contains(&true)
    }

    fn check_successor(&self, found: &Did) -> Result<(), RotationError> {
        if *found == self.successor {
            return Ok(());
        }
        let (expected, found) = (self.successor.clone(), found.clone());
        Err(RotationError::NotThisIdentity { expected, found })
    }

    fn state(&self, new: &Session, terms: &RotationTerms) -> Result<RotationChain, RotationError> {
        let (old, new) = (self.old.bundle.signer(), new.bundle.signer());
        let before = self.before.as_ref();
        let statement = RotationStatement::sign_unguarded(old, new, before, terms)?;
        match before {
            Some(before) => before.continued(statement),
            None => RotationChain::verify([statement]),
        }
    }

    /// Durably, before it is stored or given anywhere else: from then on no other is made.
    fn note(&self, chain: &RotationChain) -> Result<(), Error> {
        let path = self.old.store.home().join(names::HANDED_OVER);
        Ok(file::write(&path, &chain.to_json())?)
    }
}

impl fmt::Debug for Successor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Successor").field("home", &self.store.home()).finish_non_exhaustive()
    }
}

impl fmt::Debug for HandingOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandingOver")
            .field("did", self.old.bundle.did())
            .field("successor", &self.successor)
            .finish_non_exhaustive()
    }
}
