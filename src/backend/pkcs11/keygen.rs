//! Pairs for signing, generated in the token.

use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};

use super::object::Objects;
use super::scheme::Scheme;
use super::strays;
use super::template::{self, PairTemplate};
use crate::backend::Pkcs11Locator;
use crate::did::{Did, DidMethod};
use crate::error::{ErrorKind, Pkcs11Error};

/// A pair that was generated, and how the token wanted to be asked for it.
pub(super) struct Generated {
    pub(super) public: ObjectHandle,
    pub(super) private: ObjectHandle,
    pub(super) curve: &'static str,
    pub(super) template: &'static str,
}

/// How long a key is to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Until it is destroyed.
    Token,
    /// As long as the session that made it.
    Session,
}

impl Lifetime {
    /// `CKA_TOKEN` of a new object.
    pub(super) const fn of_new(self) -> Attribute {
        Attribute::Token(matches!(self, Self::Token))
    }

    /// What narrows a search for it. (A session object has an id that nothing else has.)
    pub(super) fn of_known(self) -> Option<Attribute> {
        (self == Self::Token).then_some(Attribute::Token(true))
    }
}

impl Objects<'_> {
    /// # Errors
    ///
    /// [`Pkcs11Error::LabelTaken`] if any key that this session sees has it.
    pub(super) fn label_is_free(self, label: &str) -> Result<(), Pkcs11Error> {
        for class in [ObjectClass::PUBLIC_KEY, ObjectClass::PRIVATE_KEY, ObjectClass::SECRET_KEY] {
            let named = [Attribute::Class(class), Attribute::Label(label.into())];
            if !self.find(&named)?.is_empty() {
                let keys = self.identities_labelled(label);
                let (token, label) = (self.token.name(), label.to_owned());
                return Err(Pkcs11Error::LabelTaken { token, label, keys });
            }
        }
        Ok(())
    }

    /// The keys of a label that could be those of identities. What cannot be read is none.
    fn identities_labelled(self, label: &str) -> Vec<(Did, Pkcs11Locator)> {
        let identity = self.token.identity();
        let found = self.public_labelled(label).unwrap_or_default();
        let read = |public| {
            let key = self.point(public).ok()??;
            let id = self.id(public).ok().filter(|id| !id.is_empty())?;
            let mut place = Pkcs11Locator::new(identity.label.clone(), identity.serial.clone(), id);
            label.clone_into(&mut place.label);
            Some((Did::fitting(DidMethod::Icn, &key), place))
        };
        found.into_iter().filter_map(read).collect()
    }

    /// Generates a pair with this id and label; leaves nothing if it fails.
    pub(super) fn generate(
        self,
        scheme: &Scheme,
        id: &[u8],
        label: &str,
    ) -> Result<(), Pkcs11Error> {
        self.naming_strays((id, label), || self.generate_pair(scheme, id, label, Lifetime::Token))
            .map(drop)
    }

    /// The same, for a pair that may be gone with its session.
    pub(super) fn generate_pair(
        self,
        scheme: &Scheme,
        id: &[u8],
        label: &str,
        lifetime: Lifetime,
    ) -> Result<Generated, Pkcs11Error> {
        let token = Attribute::Token(lifetime == Lifetime::Token);
        let mut needed = template::confined(id, label);
        needed.extend([token.clone(), Attribute::Sign(true)]);
        let usages_off = [
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::Derive(false),
            Attribute::SignRecover(false),
        ];
        let shown = [
            token,
            Attribute::Verify(true),
            Attribute::Id(id.to_owned()),
            Attribute::Label(label.into()),
        ];
        let shown_usages_off =
            [Attribute::Encrypt(false), Attribute::Wrap(false), Attribute::VerifyRecover(false)];
        let templates = template::for_pair((&shown, &shown_usages_off), (&needed, &usages_off));
        let mut first_error = None;
        let templates = templates.into_iter().skip(template::not_for(self.token.identity()));
        for PairTemplate { name: template, public, private } in templates {
            for &(curve, params) in scheme.curves {
                let mut public = public.clone();
                public.push(Attribute::EcParams(params.to_vec()));
                let generate =
                    || self.session.generate_key_pair(&scheme.generation(), &public, &private);
                match self.within_login(generate) {
                    Ok((public, private)) => {
                        self.shows_its_id([public, private], id, "C_GenerateKeyPair")?;
                        return Ok(Generated { public, private, curve, template });
                    }
                    // Then none of it was made, and nothing of it is found.
                    Err(error @ Error::Pkcs11(RvError::UserNotLoggedIn, _)) => {
                        return Err(self.token.failed("C_GenerateKeyPair")(error));
                    }
                    Err(error) => {
                        // Some modules leave half a pair behind.
                        self.remove(id)?;
                        if !template::is_about_the_template(&error) {
                            return Err(self.token.failed("C_GenerateKeyPair")(error));
                        }
                        first_error.get_or_insert(error);
                    }
                }
            }
        }
        match first_error {
            Some(error) => Err(self.token.failed("C_GenerateKeyPair")(error)),
            None => Err(self.token.failed("C_GenerateKeyPair")(Error::NotSupported)),
        }
    }

    /// That all of what was just generated shows its id, by which it is found and removed
    /// from now on. Else it is destroyed, while its handles are known.
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error::LeftBehind`] if it could not be destroyed.
    pub(super) fn shows_its_id<const N: usize>(
        self,
        made: [ObjectHandle; N],
        id: &[u8],
        call: &'static str,
    ) -> Result<(), Pkcs11Error> {
        let mut other = None;
        for object in made {
            match self.read(object, AttributeType::Id) {
                Ok(shown) if shown.as_deref().unwrap_or_default() == id => {}
                shown => {
                    other = Some(shown);
                    break;
                }
            }
        }
        let Some(shown) = other else { return Ok(()) };
        let (mut destroyed, mut failed) = (false, None);
        for object in made {
            match self.within_login(|| self.session.destroy_object(object)) {
                Ok(()) => destroyed = true,
                // With the other half, as in `remove`.
                Err(Error::Pkcs11(RvError::ObjectHandleInvalid, _)) if destroyed => {}
                Err(error) => failed = Some(error),
            }
        }
        let token = self.token.name();
        // What cannot be looked at most likely has the id that it was given, by which the
        // caller removes it.
        let shown = shown?.unwrap_or_default();
        match failed {
            Some(error) => {
                let id = strays::shown(&shown);
                let source = self.token.failed("C_DestroyObject")(error).into();
                Err(Pkcs11Error::LeftBehind { token, id, by_their_id: false, source })
            }
            None => Err(Pkcs11Error::Call {
                call,
                token,
                kind: ErrorKind::Unsupported,
                of_tpm: false,
                source: "the new key does not show the CKA_ID that it was given".into(),
            }),
        }
    }

    /// Destroys every key with this id; that one is gone already is no error. The session
    /// must be a writing one.
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error::NotOpen`] if nobody is logged in any more: private keys are not seen
    /// then.
    pub(super) fn remove(self, id: &[u8]) -> Result<(), Pkcs11Error> {
        // An empty id is that of every object which was given none.
        if id.is_empty() {
            return Ok(());
        }
        // All are looked at first: the halves of a pair may go together.
        let found = self.keys_named(id)?;
        self.destroy_all(&found, id, || self.keys_named(id))
    }

    /// The same with what has this label and shows this id, where no search by the id finds
    /// it.
    pub(super) fn remove_labelled(self, id: &[u8], label: &str) -> Result<(), Pkcs11Error> {
        let named = || -> Result<Vec<_>, Pkcs11Error> {
            let labelled = self.find(&[Attribute::Label(label.into())])?;
            Ok(labelled.into_iter().filter(|object| self.shows_id(*object, id)).collect())
        };
        self.destroy_all(&named()?, id, named)
    }

    /// Destroys these objects, and looks whether they are gone: by what `still` finds, and by
    /// their handles. Some modules say that they have destroyed what they have not.
    fn destroy_all(
        self,
        objects: &[ObjectHandle],
        id: &[u8],
        still: impl Fn() -> Result<Vec<ObjectHandle>, Pkcs11Error>,
    ) -> Result<(), Pkcs11Error> {
        let mut result = Ok(());
        let mut gone = None;
        for &object in objects {
            match self.within_login(|| self.session.destroy_object(object)) {
                Ok(()) => {}
                // With the other half of its pair: in a YubiHSM 2 they are one object.
                Err(error @ Error::Pkcs11(RvError::ObjectHandleInvalid, _)) => gone = Some(error),
                Err(error) => {
                    result = result.and(Err(self.token.failed("C_DestroyObject")(error)));
                }
            }
        }
        result?;
        // Unless the token shows it still, or would not if it were there.
        let logged_in = self.session.says_logged_in();
        let left = || -> Result<bool, Pkcs11Error> {
            let shown = objects.iter().copied().filter(|object| self.shows_id(*object, id));
            Ok(!objects.is_empty()
                && still()?.into_iter().chain(shown).any(|left| self.lasts(left)))
        };
        match gone {
            Some(error) if !logged_in || left()? => {
                Err(self.token.failed("C_DestroyObject")(error))
            }
            _ if !logged_in => Err(Pkcs11Error::NotOpen { token: self.token.name() }),
            None if left()? => Err(Pkcs11Error::Call {
                call: "C_DestroyObject",
                token: self.token.name(),
                kind: ErrorKind::Damaged,
                of_tpm: false,
                source: "the token says that it has removed what it still shows".into(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether an object shows this `CKA_ID`.
    fn shows_id(self, object: ObjectHandle, id: &[u8]) -> bool {
        self.read(object, AttributeType::Id).is_ok_and(|shown| shown.as_deref() == Some(id))
    }

    /// Whether an object stays when its session is closed, as far as it tells.
    fn lasts(self, object: ObjectHandle) -> bool {
        !self.read(object, AttributeType::Token).is_ok_and(|lasts| lasts.as_deref() == Some(&[0]))
    }

    /// The same in a session of its own: this one may have an operation
    /// pending, beside which a token does nothing else. A login that was lost is made
    /// again for it.
    pub(super) fn remove_afresh(self, id: &[u8]) -> Result<(), Pkcs11Error> {
        self.afresh(id, |objects| objects.remove(id))
    }

    /// Does work in a session of its own, for writing, on what was made with this id.
    pub(super) fn afresh<T>(
        self,
        made: &[u8],
        work: impl FnOnce(Objects<'_>) -> Result<T, Pkcs11Error>,
    ) -> Result<T, Pkcs11Error> {
        self.token.reopen(made)?;
        let session = self.token.writing_session()?;
        work(Objects { token: self.token, session: &session })
    }
}
