//! Keys that a backend keeps, and a credential opens.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt::Debug;
use std::sync::Mutex;

use icn_identity::backend::{Backend, KeyAtRest, Locator, NewKey};
use icn_identity::home::{self, CredentialSource, Made};
use icn_identity::{
    Algorithm, AlgorithmId, AtRest, DeviceHeld, Did, DidKey, DidMethod, DidSigner, Ed25519, Error,
    Hardware, Key, Locked, P256, Passphrase, Pin, Refused, Sealed, Signature, Software, TpmSealed,
    Unlocked,
};
use support::home::{Home, PASSPHRASE};

use super::{CONTEXT, Fixture, MESSAGE};

/// A key by its static type, which can be closed again.
pub(crate) trait OpenKey:
    DidSigner + Debug + Into<DidKey> + TryFrom<DidKey, Error: Debug> + 'static
{
    type AtRest: AtRest<Opened = Self, Credential: Secret>;
    const ALGORITHM: AlgorithmId;

    fn close(self) -> Self::AtRest;
    /// What the backend has found, as this type at rest.
    fn demand(found: KeyAtRest) -> Result<Self::AtRest, Error>;
    fn did_of(at_rest: &Self::AtRest) -> &Did;
}

/// A passphrase or a PIN.
pub(crate) trait Secret {
    fn of(text: &str) -> Self;
}

impl Secret for Pin {
    fn of(text: &str) -> Self {
        Self::new(text)
    }
}

impl Secret for Passphrase {
    fn of(text: &str) -> Self {
        Self::new(text)
    }
}

macro_rules! sealed {
    ($($provenance:ident<$algorithm:ident>)+) => {$(
        impl OpenKey for Key<$provenance, Unlocked, $algorithm> {
            type AtRest = Key<$provenance, Sealed, $algorithm>;
            const ALGORITHM: AlgorithmId = <$algorithm as Algorithm>::ID;

            fn close(self) -> Self::AtRest {
                self.seal()
            }
            fn demand(found: KeyAtRest) -> Result<Self::AtRest, Error> {
                let KeyAtRest::Device(sealed) = found else { panic!("{found:?}") };
                Ok(sealed.try_into()?)
            }
            fn did_of(at_rest: &Self::AtRest) -> &Did {
                at_rest.did()
            }
        }
    )+};
}

sealed!(Hardware<Ed25519> Hardware<P256> DeviceHeld<Ed25519> DeviceHeld<P256> TpmSealed<Ed25519>);

impl OpenKey for Key<Software, Unlocked> {
    type AtRest = Key<Software, Locked>;
    const ALGORITHM: AlgorithmId = AlgorithmId::Ed25519;

    fn close(self) -> Self::AtRest {
        super::software::lock(self)
    }
    fn demand(found: KeyAtRest) -> Result<Self::AtRest, Error> {
        let KeyAtRest::Software(locked) = found else { panic!("{found:?}") };
        Ok(locked)
    }
    fn did_of(at_rest: &Self::AtRest) -> &Did {
        at_rest.did()
    }
}

/// What a backend keeps.
pub(crate) trait Kept: Fixture<Key: OpenKey, Erased = DidKey> {
    const RIGHT: &'static str;
    const WRONG: &'static str;
    /// Whether a credential goes to a device that counts, or may count, wrong ones.
    const IS_SENT: bool;
    /// Whether identities are made around keys that are there already.
    const ADOPTS: bool = false;

    /// How many of its keys are open at once, at most.
    const ROOM: u8 = 8;

    fn backend(&self) -> &dyn Backend;

    /// A new key, open, and where it is.
    fn make(&self, name: &str) -> (DidKey, Locator);

    /// Where the keys are that were made by name.
    fn places(&self) -> &Places;

    /// A home without an identity, with the configuration of this backend, and for programs
    /// the right credential.
    fn home(&self) -> Home;

    /// How many credentials the device has got that were wrong or may have been; none where
    /// there is no device.
    fn sent<T>(&self, work: impl FnOnce() -> T) -> (T, Option<usize>);

    /// Whether the device has something open; none where that is not seen.
    fn is_open(&self) -> Option<bool>;
}

/// Keys by their names.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<BTreeMap<String, (Locator, Did)>>);

/// Where a key is. It is made if it is not there.
pub(crate) fn place<F: Kept>(it: &F, name: &str) -> (Locator, Did) {
    let mut places = it.places().0.lock().unwrap();
    let place = places.entry(name.to_owned()).or_insert_with(|| {
        let (key, locator) = it.make(name);
        (locator, key.did().clone())
    });
    place.clone()
}

/// Finds a key as that of a DID.
pub(crate) fn find<F: Kept>(
    it: &F,
    locator: &Locator,
    did: &Did,
) -> Result<<F::Key as OpenKey>::AtRest, Error> {
    F::Key::demand(it.backend().find(locator, did)?)
}

/// Tries a credential on a key.
pub(crate) fn try_open<K: OpenKey>(
    at_rest: K::AtRest,
    credential: &str,
) -> Result<K, Refused<K::AtRest>> {
    at_rest.open(&Secret::of(credential))
}

/// The key of that name, opened.
pub(crate) fn open<F: Kept>(it: &F, name: &str) -> F::Key {
    let (locator, did) = place(it, name);
    let found = find(it, &locator, &did).unwrap();
    try_open(found, F::RIGHT).unwrap_or_else(|refused| panic!("{}", shown(refused.into_parts().1)))
}

pub(crate) fn given<F: Kept>() -> CredentialSource<'static> {
    let source = CredentialSource::given(F::RIGHT.to_owned());
    // For devices that keep no storage key.
    let passphrase = || CredentialSource::given(PASSPHRASE.to_owned());
    if F::IS_SENT { source.and_passphrase(passphrase()) } else { source }
}

pub(crate) fn opened(home: &Home) -> home::Home {
    home::Home::open(home.path("")).unwrap()
}

/// An identity in a home that has none.
pub(crate) fn identity<F: Kept>(it: &F, home: &Home, name: &str) -> Made {
    let mut opened = opened(home);
    let made = if F::ADOPTS {
        let (locator, did) = place(it, name);
        opened.adopt(&locator, &did, given::<F>())
    } else {
        let request = NewKey::new(DidMethod::Icn)
            .with_algorithm(F::ALGORITHM)
            .with_label(Some(name.to_owned()));
        opened.create(&request, given::<F>())
    };
    made.unwrap_or_else(|error| panic!("{}", shown(error)))
}

/// What is tried with whatever a backend keeps: another key where one was, and another
/// identity's files.
pub(crate) fn exchange<F: Kept>(it: &F) -> Vec<(&'static str, Result<Signature, Error>)> {
    let ((_, one), (other, _)) = (place(it, "one"), place(it, "other"));
    let by_key = find(it, &other, &one).and_then(|found| {
        let key = try_open::<F::Key>(found, F::RIGHT).map_err(|refused| refused.into_parts().1)?;
        Ok(key.sign(MESSAGE)?)
    });
    let (mine, theirs) = (it.home(), it.home());
    drop(identity(it, &mine, "mine"));
    drop(identity(it, &theirs, "theirs"));
    let by_files = |names: &[&str]| {
        for name in names {
            std::fs::copy(theirs.path(name), mine.path(name)).unwrap();
        }
        let unlocked = opened(&mine).unlock(given::<F>())?;
        unlocked.bundle.sign_for(CONTEXT, MESSAGE)?;
        Ok(unlocked.bundle.sign(MESSAGE)?)
    };
    let by_payload = by_files(&["identity.age"]);
    vec![
        ("another key at its place", by_key),
        ("another identity's payload", by_payload),
        ("another identity's files", by_files(&["identity.age", "identity.json"])),
    ]
}

/// All that a person may get to see of an error.
pub(crate) fn shown(error: impl Into<Error>) -> String {
    let error = error.into();
    format!("{} | {} | {error:?}", chain(&error), error.help().unwrap_or_default())
}

/// An error with all of its causes.
pub(crate) fn chain(error: &Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
