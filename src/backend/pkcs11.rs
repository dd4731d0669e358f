//! Keys in an HSM or token, through a PKCS#11 module.
//!
//! Everything a PKCS#11 device says is its own word, and every module says it
//! a little differently. So nothing is assumed: a token is chosen by label and
//! serial number, a pair by `CKA_ID`, each must be there exactly once; the
//! public key is compared with the expected DID before a PIN is sent; a fresh
//! challenge is signed before a key is handed out.

mod absent;
mod certificates;
mod connection;
pub mod doctor;
mod ecdh;
mod failure;
mod finding;
mod flags;
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(crate) mod formats;
mod half;
mod import;
mod info;
#[cfg(all(test, shuttle))]
mod interleavings;
mod keep;
mod key;
mod keygen;
mod logged_in;
mod login;
mod mechanisms;
mod module;
mod object;
mod per_session;
mod pins;
mod place;
mod point;
mod policy;
mod pool;
mod put_back;
mod raw;
mod recovery;
mod refusal;
mod scheme;
mod session;
mod storage;
mod strays;
mod template;
mod token;
mod vault;

use std::collections::BTreeMap;
use std::fmt;

use self::connection::{Connection, LoginGuard};
use self::key::TokenKey;
pub use self::logged_in::LoggedIn;
use self::module::Module;
use self::object::{Objects, with_id};
use self::place::Place;
use self::policy::Policy;
use self::scheme::Scheme;
use self::template::{DEFAULT_LABEL, storage_label};
use self::token::{Token, Wanted};
use super::{
    Backend, BackendKind, Created, Credentials, Description, KeyAtRest, Locator, NewKey,
    ObjectNames, Pkcs11Locator, Plan, SeedImport, StorageVault,
};
use crate::config::Pkcs11Config;
use crate::did::Did;
use crate::error::{DeviceError, Error, Pkcs11Error};
use crate::key::{DidKey, SealedKey};
use crate::secret::Pin;
use crate::sync::{Arc, AtomicBool, Mutex, MutexGuard, PoisonError};

/// A PKCS#11 module, and the token of it that is configured.
pub struct Pkcs11Backend {
    module: Arc<Module>,
    config: Pkcs11Config,
    /// Keys that were made or found here: they say which token keeps the
    /// storage key of a DID where the configuration leaves it open.
    known: Mutex<BTreeMap<String, Pkcs11Locator>>,
}

impl Pkcs11Backend {
    /// **Blocks** on the device. Loads and initialises the module (once in a
    /// process), and looks for the token. No PIN is used.
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error::Module`] if the module cannot be used,
    /// [`Pkcs11Error::NoToken`] if the token is not there. That several tokens
    /// match is an error only where nothing says which one is meant.
    pub fn open(config: &Pkcs11Config) -> Result<Self, Pkcs11Error> {
        let module = Module::open(config)?;
        match Token::select_now(&module, &Wanted::from_config(config)) {
            Ok(_) | Err(Pkcs11Error::AmbiguousToken { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(Self { module, config: config.clone(), known: Mutex::default() })
    }

    fn policy(&self) -> Policy {
        Policy::of(&self.config)
    }

    fn wanted(&self) -> Wanted {
        Wanted::from_config(&self.config)
    }

    fn token(&self) -> Result<Token, Pkcs11Error> {
        Token::select(&self.module, &self.wanted())
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Pkcs11Locator>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, did: &Did, locator: Pkcs11Locator) {
        self.known().insert(did.to_string(), locator);
    }

    fn place(&self, locator: &Pkcs11Locator, did: &Did) -> Result<Arc<Place>, Pkcs11Error> {
        if let Some(key) = &self.config.key
            && !key.matches_locator(locator)
        {
            let (configured, found) = (key.to_string(), locator.to_string());
            return Err(Pkcs11Error::NotConfiguredKey { configured, found });
        }
        Ok(Arc::new(Place {
            wanted: self.wanted().narrowed_to(locator, &self.module)?,
            module: Arc::clone(&self.module),
            locator: locator.clone(),
            did: did.clone(),
            policy: self.policy(),
            verify_after_sign: self.config.verify_after_sign,
            public: Mutex::default(),
            shown_to_anybody: AtomicBool::default(),
            must_be_shown: locator.shown || self.config.key_shown,
        }))
    }

    /// The token that a plan is for, which must also be the configured one.
    fn token_of(&self, names: &ObjectNames) -> Result<Token, DeviceError> {
        let locator = Pkcs11Locator::new(&names.token, &names.serial, names.key_id());
        let wanted = self.wanted().narrowed_to(&locator, &self.module)?;
        Ok(Token::select(&self.module, &wanted)?)
    }

    /// Makes a key of the pair that was generated with this id.
    fn adopt(
        &self,
        objects: Objects<'_>,
        (id, label): (&[u8], &str),
        request: &NewKey,
        login: LoginGuard,
    ) -> Result<Created, Error> {
        let public = objects.exactly_one(&objects.public(id)?, || with_id(id))?;
        let shown = objects.point(public)?.ok_or_else(|| Pkcs11Error::PublicKey {
            token: objects.token.name(),
            reason: "the new public key shows no CKA_EC_POINT".into(),
        })?;
        let did = Did::fitting(request.did_method, &shown);
        let locator = locator(objects.token, id.to_owned(), label);
        let opened = key::open(&self.place(&locator, &did)?, login)?;
        let key = DidKey::from_new_device_key(opened, request.did_method)?;
        self.remember(&did, locator.clone());
        Ok(Created { key, locator: Locator::Pkcs11(locator) })
    }
}

impl Pkcs11Backend {
    /// Whether a token makes such keys, and may.
    fn check_new_on(&self, token: &Token, request: &NewKey) -> Result<&'static Scheme, Error> {
        let scheme = Scheme::of(request.algorithm);
        scheme.needs_to_make(token)?;
        if !may_make_keys(&self.config, token) {
            return Err(DeviceError::from(Pkcs11Error::KeysInSlots { token: token.name() }).into());
        }
        Ok(scheme)
    }

    /// That no other key on a token has the label.
    fn check_label_on(&self, token: &Token, label: Option<&str>) -> Result<(), Error> {
        let session = token.session()?;
        let label = self.label_or_default(label);
        Ok(Objects { token, session: &session }.label_is_free(label)?)
    }

    /// Puts a key on a token, under a label that no other key there has. What a failed attempt
    /// has made is removed again.
    fn putting<T>(
        &self,
        token: &Token,
        (id, label): (&[u8], &str),
        pin: &Pin,
        put: impl FnOnce(Objects<'_>, LoginGuard) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // First without a login, so that no PIN is spent on a taken label.
        let session = token.writing_session()?;
        let objects = Objects { token, session: &session };
        objects.label_is_free(label)?;
        let login = LoginGuard::enter(token, pin, self.policy())?;
        objects.label_is_free(label)?;
        // Held until a failed attempt has been cleaned up.
        let cleaning = LoginGuard::join(token)?;
        let done = put(objects, login).map_err(|error| cleaned_up(objects, id, error));
        drop(session);
        drop(cleaning);
        done
    }

    fn label_of<'a>(&'a self, request: &'a NewKey) -> &'a str {
        self.label_or_default(request.label.as_deref())
    }

    fn label_or_default<'a>(&'a self, label: Option<&'a str>) -> &'a str {
        label.or(self.config.key_label.as_deref()).unwrap_or(DEFAULT_LABEL)
    }
}

/// Whether no key is in danger, or the operator knows of it.
fn may_make_keys(config: &Pkcs11Config, token: &Token) -> bool {
    config.make_keys_in_slots || !token.identity().makes_keys_in_slots()
}

fn locator(token: &Token, id: Vec<u8>, label: &str) -> Pkcs11Locator {
    let identity = token.identity();
    let mut locator = Pkcs11Locator::new(&identity.label, &identity.serial, id);
    locator.label = label.to_owned();
    locator
}

/// The token that is there must be the one that was planned for.
fn planned_on<'a>(token: &Token, names: &'a ObjectNames) -> Result<&'a ObjectNames, Pkcs11Error> {
    let identity = token.identity();
    if names.token == identity.label && names.serial == identity.serial {
        return Ok(names);
    }
    let wanted = format!("{} (serial {})", names.token, names.serial);
    Err(not_this(wanted, token.name()))
}

/// That another token is wanted than the one that is there.
fn not_this(wanted: String, present: String) -> Pkcs11Error {
    Pkcs11Error::NoToken { wanted, present: vec![present], renamed: None }
}

/// Removes what a failed attempt has made, or names it.
fn cleaned_up(objects: Objects<'_>, id: &[u8], error: Error) -> Error {
    // This session may be the one that was lost.
    match objects.remove(id).or_else(|_| objects.remove_afresh(id)) {
        Ok(()) => error,
        Err(left) => {
            log::warn!("a new key could not be removed from its token: {left}");
            let (token, id) = (objects.token.name(), crate::encoding::hex::encode(id));
            let (by_their_id, source) = (true, error.into());
            DeviceError::from(Pkcs11Error::LeftBehind { token, id, by_their_id, source }).into()
        }
    }
}

fn of_pkcs11(locator: &Locator) -> Result<&Pkcs11Locator, DeviceError> {
    match locator {
        Locator::Pkcs11(locator) => Ok(locator),
        _ => Err(DeviceError::ForeignLocator { backend: BackendKind::Pkcs11 }),
    }
}

impl crate::private::OurBackend for Pkcs11Backend {}

impl Backend for Pkcs11Backend {
    fn kind(&self) -> BackendKind {
        BackendKind::Pkcs11
    }

    fn as_pkcs11(&self) -> Option<&Self> {
        Some(self)
    }

    fn describe(&self) -> Description {
        let token = self.token().ok();
        let token = token.as_ref();
        let mut described = Description {
            kind: BackendKind::Pkcs11,
            location: self.module.path().to_owned(),
            pin: token.and_then(|token| token.pin_state().ok()),
            shares_name: token.is_some_and(|token| !token.is_alone()),
            shares_serial: token.is_some_and(|token| !token.has_serial_alone()),
            slot: token.filter(|token| token.is_told_by_slot()).map(Token::slot),
            device: token.map(|token| token.identity().clone()),
            shown: Vec::new(),
        };
        // It costs several calls, and elsewhere the serial number tells.
        if let (true, Some(token)) = (described.may_share_name(), token) {
            described.shown = finding::shown_by(token).unwrap_or_default();
        }
        described
    }

    fn plan(&self, found: Option<&Did>) -> Result<Plan, Error> {
        let token = match found {
            Some(did) => self.vault_token(did)?,
            None => self.token()?,
        };
        let identity = token.identity();
        let names = ObjectNames::new(&identity.label, &identity.serial)?;
        Ok(Plan { names: Some(names), ..Plan::default() })
    }

    fn check_new(&self, request: &NewKey) -> Result<(), Error> {
        let token = self.token()?;
        self.check_new_on(&token, request)?;
        self.check_label_on(&token, request.label.as_deref())
    }

    fn create_as(
        &self,
        plan: &Plan,
        request: &NewKey,
        credentials: &Credentials,
    ) -> Result<Created, Error> {
        let pin = credentials.want_pin(self.kind())?;
        let label = self.label_of(request);
        let token = self.token()?;
        let id = match &plan.names {
            Some(names) => planned_on(&token, names)?.key_id(),
            None => template::random_id(&token.name())?,
        };
        let scheme = self.check_new_on(&token, request)?;
        self.putting(&token, (&id, label), pin, |objects, login| {
            objects.generate(scheme, &id, label)?;
            self.adopt(objects, (&id, label), request, login)
        })
    }

    fn find(&self, locator: &Locator, did: &Did) -> Result<KeyAtRest, Error> {
        let place = self.place(of_pkcs11(locator)?, did)?;
        let (token, session) = place.session()?;
        Scheme::of(did.verifying_key().algorithm()).needs_to_sign(&token)?;
        let objects = Objects { token: &token, session: &session };
        // Within a login a token shows more.
        Connection::steadily(objects, |objects, within| match within {
            true => place.check(objects).map(drop),
            false => place.check_from_outside(objects),
        })?;
        drop(session);
        self.remember(did, place.locator.clone());
        Ok(KeyAtRest::Device(SealedKey::new(did.clone(), Arc::new(TokenKey(place)))))
    }

    fn discard(&self, plan: &Plan, credentials: &Credentials) -> Result<bool, Error> {
        let Some(names) = &plan.names else { return Ok(false) };
        let token = self.token_of(names)?;
        let login = LoginGuard::enter(&token, credentials.want_pin(self.kind())?, self.policy())?;
        let session = token.writing_session()?;
        let objects = Objects { token: &token, session: &session };
        let was_there = !objects.keys_named(&names.key_id())?.is_empty();
        let ids = [names.storage_id(), names.key_id()].into_iter();
        // Both, although one fails.
        let removed = ids
            .filter(|id| plan.kept.as_ref() != Some(id))
            .map(|id| objects.remove(&id))
            .fold(Ok(()), Result::and);
        drop(session);
        drop(login);
        Ok(removed.map(|()| was_there)?)
    }

    fn check_discard(&self, plan: &Plan, credentials: &Credentials) -> Result<(), Error> {
        let Some(names) = &plan.names else { return Ok(()) };
        let token = self.token_of(names)?;
        LoginGuard::enter(&token, credentials.want_pin(self.kind())?, self.policy())?;
        Ok(())
    }

    fn had_identity(&self, locator: &Locator, did: &Did) -> Result<bool, Error> {
        let locator = of_pkcs11(locator)?;
        // As keys are named that were made here. Cards and pkcs11-tool choose shorter ones.
        if locator.id.len() == template::ID_LENGTH {
            return Ok(true);
        }
        let token = self.vault_token(did)?;
        let _login = LoginGuard::join(&token)?;
        let session = token.session()?;
        let objects = Objects { token: &token, session: &session };
        Ok(objects.is_anything_labelled(&storage_label(&locator.label))?)
    }

    fn vault(&self) -> Option<&dyn StorageVault> {
        match self.token().and_then(|token| storage::is_possible(&token)) {
            Ok(false) => None,
            // Which token it is may only be known by the DID.
            Ok(true) | Err(_) => Some(self),
        }
    }

    fn importer(&self) -> Option<&dyn SeedImport> {
        Some(self)
    }

    fn makes_storage_keys(&self) -> bool {
        // Not the vault's to say: one that was made when it was allowed is still used.
        // Which token it is may only be known by the DID.
        self.vault().is_some()
            && self.token().map_or(true, |token| may_make_keys(&self.config, &token))
    }
}

impl fmt::Debug for Pkcs11Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Backend").field("config", &self.config).finish_non_exhaustive()
    }
}
