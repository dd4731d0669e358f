//! Where a key is on a token, and what can be seen of it there.

use cryptoki::object::ObjectHandle;

use super::module::Module;
use super::object::{Objects, Pair, with_id};
use super::policy::Policy;
use super::session::OwnSession;
use super::token::{Token, Wanted};
use crate::algorithm::VerifyingKey;
use crate::backend::{Pkcs11Locator, mark};
use crate::did::Did;
use crate::encoding::hex;
use crate::error::{OpenError, Pkcs11Error};
use crate::evidence::{Evidence, ProvenanceKind};
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, PoisonError};

/// A key as a session sees it.
pub(super) struct Seen {
    pub(super) private: ObjectHandle,
    pub(super) shown: VerifyingKey,
    pub(super) evidence: Evidence,
    /// Whether it wants its PIN for every signature.
    pub(super) always_pin: bool,
}

/// Where a key is, and whose it should be.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) module: Arc<Module>,
    pub(super) wanted: Wanted,
    pub(super) locator: Pkcs11Locator,
    pub(super) did: Did,
    pub(super) policy: Policy,
    pub(super) verify_after_sign: bool,
    /// The object that showed the public key, as it was found last. Only a hint.
    pub(super) public: Mutex<Option<ObjectHandle>>,
    /// Whether the token has shown it while nobody was logged in.
    pub(super) shown_to_anybody: AtomicBool,
    /// It has before, as the configuration or the header says.
    pub(super) must_be_shown: bool,
}

impl Place {
    pub(super) fn token(&self) -> Result<Token, Pkcs11Error> {
        Token::select(&self.module, &self.wanted)
    }

    /// The same, as it is now.
    pub(super) fn token_now(&self) -> Result<Token, Pkcs11Error> {
        Token::select_now(&self.module, &self.wanted)
    }

    /// The token, and a session on it.
    pub(super) fn session(&self) -> Result<(Token, OwnSession), Pkcs11Error> {
        let token = self.token()?;
        match token.session() {
            Ok(session) => Ok((token, session)),
            // It was there a moment ago. Perhaps it is away, or in another slot.
            Err(_) => {
                let token = self.token_now()?;
                let session = token.session()?;
                Ok((token, session))
            }
        }
    }

    /// The token, on which a session could be opened just now.
    pub(super) fn token_to_open(&self) -> Result<Token, Pkcs11Error> {
        self.session().map(|(token, _)| token)
    }

    /// All that can be checked without a PIN. Gives the public key, if the
    /// token shows it without a login.
    pub(super) fn check(&self, objects: Objects<'_>) -> Result<Option<VerifyingKey>, Pkcs11Error> {
        // A search may take long; what is still where it was is not searched for.
        let known = *self.public.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Ok(Some(shown))) = known.map(|known| objects.point(known))
            && shown == *self.did.verifying_key()
        {
            return Ok(Some(shown));
        }
        let id = &self.locator.id;
        let public = objects.at_most_one(&objects.public(id)?, || with_id(id))?;
        *self.public.lock().unwrap_or_else(PoisonError::into_inner) = None;
        match public {
            Some(public) => {
                let shown = objects.point(public)?;
                match shown {
                    Some(key) if key != *self.did.verifying_key() => Err(self.replaced(
                        objects.token,
                        with_name(&objects.label(public)?, id),
                        &key,
                    )),
                    shown => {
                        if shown.is_some() {
                            let mut known =
                                self.public.lock().unwrap_or_else(PoisonError::into_inner);
                            *known = Some(public);
                        }
                        Ok(shown)
                    }
                }
            }
            None => {
                self.check_namesakes(objects)?;
                Ok(None)
            }
        }
    }

    /// The same, and remembers whether the token shows the key to whoever is not logged in.
    pub(super) fn check_from_outside(&self, objects: Objects<'_>) -> Result<(), Pkcs11Error> {
        let shown = self.check(objects)?.is_some();
        if shown && !self.is_shown_to_anybody() && !objects.session.says_logged_in() {
            self.shown_to_anybody.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether the token does not show the key to whoever is not logged in, as it has before.
    pub(super) fn hides_what_it_showed(&self, objects: Objects<'_>) -> Result<bool, Pkcs11Error> {
        if objects.session.says_logged_in() {
            return Ok(false);
        }
        Ok(self.must_be_shown && self.check(objects)?.is_none())
    }

    /// The same before a PIN is sent: a token that has shown the key, today or years ago,
    /// has to show it now. Another one can have its names.
    pub(super) fn check_before_pin(&self, objects: Objects<'_>) -> Result<(), Pkcs11Error> {
        self.check_from_outside(objects)?;
        self.must_have_shown_itself(objects.token.name())
    }

    /// The same after a loss. Another token may have come under the name of the one that
    /// was there: nothing that is known of that one is a hint.
    pub(super) fn check_again(&self, objects: Objects<'_>) -> Result<(), Pkcs11Error> {
        *self.public.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.check_before_pin(objects)
    }

    /// By the last check.
    pub(super) fn must_have_shown_itself(&self, token: String) -> Result<(), Pkcs11Error> {
        let was_shown = self.must_be_shown || self.is_shown_to_anybody();
        if was_shown && !self.is_shown() {
            return Err(Pkcs11Error::KeyNotShown { token, key: with_id(&self.locator.id) });
        }
        Ok(())
    }

    pub(super) fn is_shown_to_anybody(&self) -> bool {
        self.shown_to_anybody.load(Ordering::Relaxed)
    }

    /// Whether the last check saw the public key.
    fn is_shown(&self) -> bool {
        self.public.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// No public key has the id. One of the same label is then most likely a
    /// replacement, which is worth its name.
    fn check_namesakes(&self, objects: Objects<'_>) -> Result<(), Pkcs11Error> {
        if self.locator.label.is_empty() {
            return Ok(());
        }
        for public in objects.public_labelled(&self.locator.label)? {
            let name = with_name(&self.locator.label, &objects.id(public)?);
            if let Some(key) = objects.point(public)? {
                return Err(if key == *self.did.verifying_key() {
                    let wanted = format!("{}, but has it as {name}", with_id(&self.locator.id));
                    Pkcs11Error::NoKey { token: objects.token.name(), wanted }
                } else {
                    self.replaced(objects.token, name, &key)
                });
            }
        }
        Ok(())
    }

    pub(super) fn replaced(&self, token: &Token, key: String, found: &VerifyingKey) -> Pkcs11Error {
        Pkcs11Error::KeyReplaced {
            token: token.name(),
            key,
            expected: self.did.clone(),
            found: Did::fitting(self.did.method(), found),
        }
    }

    /// That another private key lies where that of the DID should be.
    pub(super) fn other_private_key(&self, found: &'static str) -> Pkcs11Error {
        Pkcs11Error::OtherPrivateKey {
            token: self.locator.token.clone(),
            key: with_id(&self.locator.id),
            did: self.did.clone(),
            found,
        }
    }

    /// All that is known of the key within a login: the private object, the
    /// public key that it is shown with, and its evidence.
    pub(super) fn look(&self, objects: Objects<'_>) -> Result<Seen, OpenError> {
        let id = &self.locator.id;
        let Pair { public, private } = objects.pair(id)?;
        let public = objects.at_most_one(&public, || with_id(id))?;
        let private = match objects.at_most_one(&private, || with_id(id))? {
            Some(private) => private,
            None => return Err(objects.no_private_key(id, public)?.into()),
        };
        let shown = self.shown(objects, public, private)?;
        let (attributes, always_pin) = objects.facts(private)?;
        if always_pin && !self.module.calls().can_confirm() {
            let (token, module) = (objects.token.name(), self.module.path().to_owned());
            return Err(Pkcs11Error::PinPerSignature { token, module }.into());
        }
        let evidence = objects.token.judge(attributes, self.wanted.trust())?;
        // One that was in a file is not born here, whatever is said.
        let was_in_file = mark::in_file_until(&self.locator.id).is_some();
        let evidence = match evidence.provenance() {
            ProvenanceKind::Hardware if was_in_file => evidence.of_imported(),
            _ => evidence,
        };
        Ok(Seen { private, shown, evidence, always_pin })
    }

    /// The public key of the pair: from the public object, or from the private
    /// one where the module puts it there.
    fn shown(
        &self,
        objects: Objects<'_>,
        public: Option<ObjectHandle>,
        private: ObjectHandle,
    ) -> Result<VerifyingKey, Pkcs11Error> {
        for object in public.into_iter().chain([private]) {
            if let Some(key) = objects.point(object)? {
                return Ok(key);
            }
        }
        let (token, key) = (objects.token.name(), with_id(&self.locator.id));
        Err(Pkcs11Error::NoPublicKey { token, key, of_identity: true })
    }
}

pub(super) fn with_name(label: &str, id: &[u8]) -> String {
    format!("{label:?} (id {})", hex::encode(id))
}
