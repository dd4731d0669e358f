//! Keys that were in a file, written into a token.
//!
//! By `C_CreateObject`, with everything set that keeps the key in the token from then on;
//! where a token refuses that, by `C_UnwrapKey` ([`unwrap`]). What the token says of the
//! key is read back: one that would show it, or hand it out, or let anybody use it, and one
//! that says to have made it, loses it again.
//!
//! Of what a token may say falsely only `CKA_LOCAL` is refused. By the standard a written
//! key is not `CKA_ALWAYS_SENSITIVE` and not `CKA_NEVER_EXTRACTABLE` either, but honest
//! devices have constants there (a YubiHSM 2, NSS), and neither claims a birth. A module
//! that is known to answer without asking its device claims nothing: its word is nobody's.

mod template;
mod unwrap;

use cryptoki::error::Error as Returned;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};

use self::template::{Written, is_of_the_moment};
use super::connection::LoginGuard;
use super::object::{Objects, with_id};
use super::scheme::Scheme;
use super::token::Token;
use super::{Pkcs11Backend, may_make_keys, planned_on, template as templates};
use crate::algorithm::AlgorithmId;
use crate::backend::{
    Backend as _, Credentials, Imported, ImportedKey, NewKey, Plan, SeedImport, mark,
};
use crate::clock;
use crate::error::{DeviceError, Error, ErrorKind, OpenError, Pkcs11Error};
use crate::key::{DeviceHeld, Key, Software, Unlocked};
use crate::signer::DidSigner as _;

impl SeedImport for Pkcs11Backend {
    fn check_import(&self, label: Option<&str>) -> Result<(), Error> {
        let token = self.token()?;
        self.check_import_on(&token)?;
        self.check_label_on(&token, label)
    }

    fn import_as(
        &self,
        plan: &Plan,
        key: &Key<Software, Unlocked>,
        label: Option<&str>,
        credentials: &Credentials,
    ) -> Result<Imported, Error> {
        let pin = credentials.want_pin(self.kind())?;
        let label = self.label_or_default(label);
        let token = self.token()?;
        let id = match &plan.names {
            Some(names) => planned_on(&token, names)?.key_id(),
            None => mark::id(clock::now(), &templates::random_id(&token.name())?),
        };
        self.check_import_on(&token)?;
        self.putting(&token, (&id, label), pin, |objects, login| {
            objects.write_pair(key, &id, label)?;
            self.adopt_imported(objects, (&id, label), key, login)
        })
    }
}

impl Pkcs11Backend {
    fn check_import_on(&self, token: &Token) -> Result<(), Error> {
        Scheme::of(AlgorithmId::Ed25519).needs_to_sign(token)?;
        if !may_make_keys(&self.config, token) {
            return Err(DeviceError::from(Pkcs11Error::KeysInSlots { token: token.name() }).into());
        }
        Ok(())
    }

    /// Opens the pair that was written, as one that is found: it is the one that was given,
    /// and signs.
    fn adopt_imported(
        &self,
        objects: Objects<'_>,
        (id, label): (&[u8], &str),
        key: &Key<Software, Unlocked>,
        login: LoginGuard,
    ) -> Result<Imported, Error> {
        let request = NewKey::new(key.did().method());
        let made = self.adopt(objects, (id, label), &request, login)?;
        if made.key.did() != key.did() {
            let (expected, found) = (key.did().clone(), made.key.did().clone());
            return Err(OpenError::WrongKey { expected, found }.into());
        }
        let key = ImportedKey::DeviceHeld(Key::<DeviceHeld, Unlocked>::try_from(made.key)?);
        Ok(Imported { key, locator: made.locator })
    }
}

impl Objects<'_> {
    /// Writes both halves of a pair with this id and label.
    fn write_pair(
        self,
        key: &Key<Software, Unlocked>,
        id: &[u8],
        label: &str,
    ) -> Result<(), Pkcs11Error> {
        self.naming_strays((id, label), || {
            let private = self.write_private(key.expose_secret(), id, label)?;
            self.shows_its_id([private], id, "C_CreateObject")?;
            self.check_written(private)?;
            // A token may show the public half by itself: in a YubiHSM 2 they are one object.
            if self.at_most_one(&self.public(id)?, || with_id(id))?.is_none() {
                let public = self.create_public(key.verifying_key(), id, label)?;
                self.shows_its_id([public], id, "C_CreateObject")?;
            }
            Ok(())
        })
    }

    fn write_private(
        self,
        seed: &[u8; 32],
        id: &[u8],
        label: &str,
    ) -> Result<ObjectHandle, Pkcs11Error> {
        match self.create_private(seed, id, label)? {
            Ok(private) => Ok(private),
            Err(refusal) => self.unwrap_private(seed, id, label, refusal),
        }
    }

    /// By `C_CreateObject`; or how the token refuses that.
    fn create_private(
        self,
        seed: &[u8; 32],
        id: &[u8],
        label: &str,
    ) -> Result<Result<ObjectHandle, Pkcs11Error>, Pkcs11Error> {
        let failed = || self.token.failed("C_CreateObject");
        let mut first = None;
        for template in template::private(id, label) {
            for (_, params) in Scheme::of(AlgorithmId::Ed25519).curves {
                let mut template = Written::new(template.clone());
                template.push(Attribute::EcParams(params.to_vec()));
                template.push_secret(seed);
                match self.within_login(|| self.session.create_object(&template)) {
                    Ok(private) => return Ok(Ok(private)),
                    Err(error) => {
                        // A module may have begun.
                        self.remove(id)?;
                        if is_of_the_moment(&error) {
                            return Err(failed()(error));
                        }
                        if !templates::is_about_the_template(&error) {
                            return Ok(Err(failed()(error)));
                        }
                        first.get_or_insert(error);
                    }
                }
            }
        }
        Ok(Err(failed()(first.unwrap_or(Returned::NotSupported))))
    }

    /// What the token says of a private key that was written; whether it may be shown is
    /// judged when it is opened.
    fn check_written(self, private: ObjectHandle) -> Result<(), Pkcs11Error> {
        if self.evidence(private)?.claim_birth(self.token.identity()) {
            return Err(Pkcs11Error::ClaimsBirth { token: self.token.name() });
        }
        if self.read(private, AttributeType::Private)?.as_deref() == Some(&[0]) {
            return Err(Pkcs11Error::Call {
                call: "C_CreateObject",
                token: self.token.name(),
                kind: ErrorKind::Requirement,
                of_tpm: false,
                source: "the key is there for everybody (CKA_PRIVATE is false)".into(),
            });
        }
        Ok(())
    }
}
