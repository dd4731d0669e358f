//! Keys on tokens of SoftHSM 2, behind a module that counts what is called and passes it on.

use std::marker::PhantomData;

use cryptoki::context::Pkcs11;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Backend, Created, Credentials, Locator, NewKey};
use icn_identity::config::Config;
use icn_identity::{
    AlgorithmId, Assurance, DeviceHeld, Did, DidKey, DidMethod, Ed25519, Error, Hardware, Key,
    P256, Pin, ProvenanceKind, Signature, Unlocked,
};
use support::home::{Home, PASSPHRASE};
use support::softhsm::{PIN, SoftHsm, alone_as, count};

use super::fixture::Shows;
use super::kept::{self, Places, find, place, try_open};
use super::properties::evidence::ChangesEvidence;
use super::{Fixture, Kept, MESSAGE, OpenKey, conformance};
use crate::signers::import;

conformance! {
    device ed25519: Token<Key<Hardware, Unlocked>, SoftHsm2>;
    device p256: Token<Key<Hardware, Unlocked, P256>, SoftHsm2>;
    device imported_ed25519: Token<Key<DeviceHeld, Unlocked>, Imported>;
    device imported_p256: Token<Key<DeviceHeld, Unlocked, P256>, Imported>;
}

const TOKEN: &str = "node-1";

/// How a module speaks, and what is known of its keys then.
pub(super) trait Dialect: Sync + 'static {
    const SCRIPT: &'static str;
    const COMES: Comes = Comes::MadeByUs;
    const ASSURANCE: Assurance;
    /// Whether a session of somebody else shows that there is a login.
    const SHOWS_LOGIN: bool = true;
}

/// Where a key comes from.
#[derive(PartialEq, Eq)]
pub(super) enum Comes {
    MadeByUs,
    /// Another tool has written it.
    FromOutside,
}

pub(super) struct SoftHsm2;

impl Dialect for SoftHsm2 {
    const SCRIPT: &'static str = "";
    const ASSURANCE: Assurance = Assurance::SoftToken;
}

pub(super) struct Imported;

impl Dialect for Imported {
    const SCRIPT: &'static str = "";
    const COMES: Comes = Comes::FromOutside;
    const ASSURANCE: Assurance = Assurance::SoftToken;
}

/// A token whose keys are of type `K`.
pub(super) struct Token<K, D> {
    hsm: SoftHsm,
    backend: Box<dyn Backend>,
    places: Places,
    kind: PhantomData<fn() -> (K, D)>,
}

impl<K: ProvenOnTokens, D: Dialect> Token<K, D> {
    fn config(hsm: &SoftHsm) -> String {
        format!(
            "[identity]\nbackend = \"pkcs11\"\n[identity.age]\nwork_factor = 10\n\
             [identity.pkcs11]\nmodule = {:?}\ntoken = \"{TOKEN}\"\nmake_keys_in_slots = true\n",
            hsm.fault_module()
        )
    }

    fn open_backend(hsm: &SoftHsm) -> Box<dyn Backend> {
        let config = Config::parse(&Self::config(hsm)).unwrap();
        config.backend(&hsm.path("")).unwrap().open().unwrap()
    }

    fn pkcs11(&self) -> &Pkcs11Backend {
        self.backend.as_pkcs11().unwrap()
    }

    /// Has another tool write it, and finds it again.
    fn adopt(&self, name: &str, make: impl FnOnce()) -> (DidKey, Locator) {
        self.hsm.script("");
        make();
        self.hsm.script(D::SCRIPT);
        let locator = self.pkcs11().find_by_label(name).unwrap();
        let key = self.pkcs11().public_key(&locator).unwrap();
        let did = Did::from_key(DidMethod::Key, &key).unwrap();
        let locator = Locator::Pkcs11(locator);
        let found = find(self, &locator, &did).unwrap();
        let opened = try_open::<K>(found, PIN);
        let key =
            opened.unwrap_or_else(|refused| panic!("{}", kept::shown(refused.into_parts().1)));
        (key.into(), locator)
    }

    fn create(&self, name: &str) -> Created {
        let request = NewKey::new(DidMethod::Key)
            .with_algorithm(K::ALGORITHM)
            .with_label(Some(name.to_owned()));
        let pin = Credentials::pin(Pin::new(PIN));
        self.backend.create(&request, &pin).unwrap_or_else(|error| panic!("{}", kept::shown(error)))
    }
}

/// The provenance of the keys of tokens.
pub(super) trait ProvenOnTokens: OpenKey {
    const PROVENANCE: ProvenanceKind;
    /// What a device may say later, by which a key would be less than its type.
    const LESS: &'static [&'static str];
}

macro_rules! proven_on_tokens {
    ($($provenance:ident<$algorithm:ident>: $less:expr;)+) => {$(
        impl ProvenOnTokens for Key<$provenance, Unlocked, $algorithm> {
            const PROVENANCE: ProvenanceKind = ProvenanceKind::$provenance;
            const LESS: &'static [&'static str] = $less;
        }
    )+};
}

const LESS_THAN_HARDWARE: &[&str] = &[
    "say CKA_LOCAL false",
    "hide CKA_NEVER_EXTRACTABLE",
    "say CKA_ALWAYS_SENSITIVE false",
    "say CKA_EXTRACTABLE true",
    "say CKA_SENSITIVE false",
];
const LESS_THAN_HELD: &[&str] = &["say CKA_EXTRACTABLE true", "say CKA_SENSITIVE false"];

proven_on_tokens! {
    Hardware<Ed25519>: LESS_THAN_HARDWARE;
    Hardware<P256>: LESS_THAN_HARDWARE;
    DeviceHeld<Ed25519>: LESS_THAN_HELD;
    DeviceHeld<P256>: LESS_THAN_HELD;
}

impl<K: ProvenOnTokens, D: Dialect> Fixture for Token<K, D> {
    type Key = K;
    type Erased = DidKey;
    const ALGORITHM: AlgorithmId = K::ALGORITHM;
    const CUSTODY: Shows = Shows::Evidence(K::PROVENANCE, D::ASSURANCE);

    fn alone<B: FnOnce(&Self)>(body: B) {
        alone_as::<B>(|hsm| {
            hsm.token(TOKEN);
            hsm.script(D::SCRIPT);
            let backend = Self::open_backend(&hsm);
            body(&Self { hsm, backend, places: Places::default(), kind: PhantomData });
        });
    }

    fn key(&self, name: &str) -> K {
        kept::open(self, name)
    }

    fn erase(key: K) -> DidKey {
        key.into()
    }

    fn exchanged(&self) -> Vec<(&'static str, Result<Signature, Error>)> {
        kept::exchange(self)
    }
}

impl<K: ProvenOnTokens, D: Dialect> Kept for Token<K, D> {
    const RIGHT: &'static str = PIN;
    const WRONG: &'static str = "0001wrong-90441277";
    const IS_SENT: bool = true;
    const ADOPTS: bool = !matches!(D::COMES, Comes::MadeByUs);

    fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    fn make(&self, name: &str) -> (DidKey, Locator) {
        match D::COMES {
            Comes::MadeByUs => {
                let Created { key, locator, .. } = self.create(name);
                (key, locator)
            }
            Comes::FromOutside => {
                let id: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
                self.adopt(name, || import(&self.hsm, TOKEN, K::ALGORITHM, name, &id))
            }
        }
    }

    fn places(&self) -> &Places {
        &self.places
    }

    fn home(&self) -> Home {
        let home = self.hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
        home.write("icn.toml", &Self::config(&self.hsm));
        home
    }

    fn sent<T>(&self, work: impl FnOnce() -> T) -> (T, Option<usize>) {
        let (done, calls) = self.hsm.calls(work);
        (done, Some(count(&calls, "C_Login")))
    }

    /// As a session of somebody else sees it.
    fn is_open(&self) -> Option<bool> {
        if !D::SHOWS_LOGIN {
            return None;
        }
        let context = Pkcs11::new(self.hsm.fault_module()).unwrap();
        let slot = context.get_slots_with_initialized_token().unwrap()[0];
        let session = context.open_ro_session(slot).unwrap();
        let state = format!("{:?}", session.get_session_info().unwrap());
        let is_open = state.contains("RoUser");
        assert!(is_open || state.contains("RoPublic"), "{state}");
        Some(is_open)
    }
}

impl<K: ProvenOnTokens, D: Dialect> ChangesEvidence for Token<K, D> {
    fn change(&self) -> Vec<(String, Result<(), Error>)> {
        let (locator, did) = place(self, "one");
        let open_key = kept::open(self, "one");
        let mut changed = Vec::new();
        for less in K::LESS {
            // Under an open key, which has to be found again; and at rest.
            self.hsm.script(&format!("{}\non C_SignInit 1 kill-all\n{less}", D::SCRIPT));
            let (signed, calls) = self.hsm.calls(|| open_key.sign(MESSAGE));
            assert_eq!(count(&calls, "C_Sign"), 0, "{less}: {calls:?}");
            let signed = signed.map(drop).map_err(|error| {
                let error = Error::from(error);
                let text = kept::chain(&error);
                assert!(text.contains("not what it was before the token was lost"), "{text}");
                error
            });
            changed.push((format!("{less}, while open"), signed));
        }
        drop(open_key);
        for less in K::LESS {
            self.hsm.script(&format!("{}\n{less}", D::SCRIPT));
            let opened = find(self, &locator, &did).and_then(|found| {
                try_open::<K>(found, PIN).map(drop).map_err(|refused| {
                    let (given_back, reason) = refused.into_parts();
                    assert_eq!(*K::did_of(&given_back), did);
                    reason.into()
                })
            });
            changed.push((format!("{less}, at rest"), opened));
        }
        self.hsm.script(D::SCRIPT);
        if K::PROVENANCE != ProvenanceKind::Hardware {
            changed.push(self.more());
        }
        // It is as it was.
        kept::open(self, "one").sign(MESSAGE).unwrap();
        changed
    }
}

impl<K: ProvenOnTokens, D: Dialect> Token<K, D> {
    /// A device that denied once where a key comes from, or did not say, and begins to say
    /// the best of it: an identity remembers what it was.
    fn more(&self) -> (String, Result<(), Error>) {
        let home = self.home();
        let made = kept::identity(self, &home, "remembered");
        let id = &made.header.locator().unwrap().id;
        let lie: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        drop(made);
        self.hsm.script(&format!("{}\nlie {lie}", D::SCRIPT));
        let key = kept::opened(&home).unlock(kept::given::<Self>()).unwrap().bundle.into_signer();
        let hardware = match K::ALGORITHM {
            AlgorithmId::Ed25519 => Key::<Hardware, Unlocked>::try_from(key).map(drop),
            _ => Key::<Hardware, Unlocked, P256>::try_from(key).map(drop),
        };
        self.hsm.script(D::SCRIPT);
        ("everything good is said later".into(), hardware.map_err(Error::from))
    }
}
