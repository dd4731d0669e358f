//! One key on a token: found, opened, signing.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::mechanism::MechanismType;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use super::login::LoginGuard;
use super::module::Module;
use super::object::{Objects, hex, with_id};
use super::token::{Token, Wanted};
use crate::algorithm::{Signature, VerifyingKey};
use crate::backend::Pkcs11Locator;
use crate::did::Did;
use crate::error::{DeviceError, OpenError, SignError};
use crate::evidence::Evidence;
use crate::key::device::{DeviceKey, DeviceSigner, OpenedDevice};
use crate::secret::Pin;

/// Where a key is, and whose it should be.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) module: Arc<Module>,
    pub(super) wanted: Wanted,
    pub(super) locator: Pkcs11Locator,
    pub(super) did: Did,
    pub(super) allow_final_try: bool,
    pub(super) verify_after_sign: bool,
}

impl Place {
    pub(super) fn token(&self) -> Result<Token, DeviceError> {
        Token::select(&self.module, &self.wanted)
    }

    /// All that can be checked without a PIN. Gives the public key, if the
    /// token shows it without a login.
    pub(super) fn check(&self, objects: Objects<'_>) -> Result<Option<VerifyingKey>, DeviceError> {
        objects.token.need(&[MechanismType::EDDSA])?;
        let id = &self.locator.id;
        match objects.at_most_one(&objects.public(id)?, || with_id(id))? {
            Some(public) => {
                let shown = objects.point(public)?;
                match shown {
                    Some(key) if key != *self.did.verifying_key() => Err(self.replaced(
                        objects.token,
                        with_name(&objects.label(public)?, id),
                        &key,
                    )),
                    shown => Ok(shown),
                }
            }
            None => {
                self.check_namesakes(objects)?;
                Ok(None)
            }
        }
    }

    /// No public key has the id. One of the same label is then most likely a
    /// replacement, which is worth its name.
    fn check_namesakes(&self, objects: Objects<'_>) -> Result<(), DeviceError> {
        if self.locator.label.is_empty() {
            return Ok(());
        }
        for public in objects.public_labelled(&self.locator.label)? {
            let name = with_name(&self.locator.label, &objects.id(public)?);
            if let Some(key) = objects.point(public)? {
                return Err(if key == *self.did.verifying_key() {
                    let wanted = format!("{}, but has it as {name}", with_id(&self.locator.id));
                    DeviceError::NoKey { token: objects.token.name(), wanted }
                } else {
                    self.replaced(objects.token, name, &key)
                });
            }
        }
        Ok(())
    }

    fn replaced(&self, token: &Token, key: String, found: &VerifyingKey) -> DeviceError {
        DeviceError::KeyReplaced {
            token: token.name(),
            key,
            expected: self.did.clone(),
            found: Did::from_key(self.did.method(), found),
        }
    }

    /// Opens the key within a login.
    pub(super) fn open(
        self: &Arc<Self>,
        token: &Token,
        login: LoginGuard,
    ) -> Result<OpenedDevice, OpenError> {
        let session = token.session()?;
        let objects = Objects { token, session: &session };
        let private = self.private(objects)?;
        if objects.wants_pin_each_time(private)? {
            let reason = "this key wants its PIN for every signature, which is not supported yet";
            return Err(DeviceError::PinUnusable { token: token.name(), reason }.into());
        }
        let shown = self.shown(objects, private)?;
        let attributes = objects.evidence(private)?;
        let evidence = Evidence::from_pkcs11(token.identity().clone(), attributes)?;
        let channel = Channel { session, private };
        Ok(OpenedDevice {
            handle: Arc::new(TokenKey(Arc::clone(self))),
            shown,
            evidence,
            signer: Box::new(TokenSigner {
                channel: Mutex::new(Some(channel)),
                place: Arc::clone(self),
                _login: login,
            }),
            verify_after_sign: self.verify_after_sign,
        })
    }

    fn private(&self, objects: Objects<'_>) -> Result<ObjectHandle, DeviceError> {
        let id = &self.locator.id;
        objects.exactly_one(&objects.private(id)?, || with_id(id))
    }

    /// The public key of the pair: from the public object, or from the private
    /// one where the module puts it there.
    fn shown(
        &self,
        objects: Objects<'_>,
        private: ObjectHandle,
    ) -> Result<VerifyingKey, DeviceError> {
        let id = &self.locator.id;
        let public = objects.at_most_one(&objects.public(id)?, || with_id(id))?;
        for object in public.into_iter().chain([private]) {
            if let Some(key) = objects.point(object)? {
                return Ok(key);
            }
        }
        let reason = format!("no public key {}", with_id(id));
        Err(DeviceError::PublicKey { token: objects.token.name(), reason })
    }

    /// A new session for a key that is open. Handles may have died with the
    /// old one, and the slot may be another one now.
    fn reconnect(&self) -> Result<Channel, DeviceError> {
        let token = self.token()?;
        // Without a login no private key would be found, and "no key" be wrong.
        let _login = LoginGuard::join(&token)?;
        let session = token.session()?;
        let objects = Objects { token: &token, session: &session };
        let private = self.private(objects)?;
        let shown = self.shown(objects, private)?;
        if shown != *self.did.verifying_key() {
            let name = with_name(&self.locator.label, &self.locator.id);
            return Err(self.replaced(&token, name, &shown));
        }
        Ok(Channel { session, private })
    }
}

fn with_name(label: &str, id: &[u8]) -> String {
    format!("{label:?} (id {})", hex(id))
}

/// A key that wants its PIN.
#[derive(Debug)]
pub(super) struct TokenKey(pub(super) Arc<Place>);

impl DeviceKey for TokenKey {
    fn open(&self, pin: &Pin) -> Result<OpenedDevice, OpenError> {
        let place = &self.0;
        let token = place.token()?;
        // Again: days may have passed since the key was found.
        place.check(Objects { token: &token, session: &token.session()? })?;
        let login = LoginGuard::enter(&token, pin, place.allow_final_try)?;
        place.open(&token, login)
    }
}

/// A key in a session. The session goes first, the login last.
struct TokenSigner {
    channel: Mutex<Option<Channel>>,
    place: Arc<Place>,
    _login: LoginGuard,
}

struct Channel {
    session: Session,
    private: ObjectHandle,
}

impl DeviceSigner for TokenSigner {
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        let mut channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        // Out of its place while in use: after a failure it may have an
        // operation pending, and is dropped and replaced at the next call.
        let open = match channel.take() {
            Some(open) => open,
            None => self.place.reconnect().map_err(SignError::Device)?,
        };
        let signing = self.place.module.signing();
        match signing.sign_once(&open.session, open.private, message) {
            Ok(signature) => {
                *channel = Some(open);
                Ok(Signature::from_ed25519_bytes(signature))
            }
            Err(error) => Err(SignError::Device(DeviceError::Call {
                call: error.call,
                token: self.place.locator.token.clone(),
                source: Box::new(error.failure),
            })),
        }
    }
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSigner").field("place", &self.place).finish_non_exhaustive()
    }
}
