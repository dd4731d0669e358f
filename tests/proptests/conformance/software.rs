//! Keys in age files.

use icn_identity::backend::{Backend, Locator};
use icn_identity::config::Config;
use icn_identity::keystore::age::WorkFactor;
use icn_identity::{
    AlgorithmId, Assurance, DidKey, Error, Key, Locked, Passphrase, ProvenanceKind, Signature,
    Unlocked,
};
use support::home::{FAST, Home, PASSPHRASE};

use super::fixture::Shows;
use super::kept::{self, Places};
use super::{Fixture, Kept, conformance};
use crate::signers;

conformance! { kept ed25519: Software; }

struct Software {
    home: Home,
    backend: Box<dyn Backend>,
    places: Places,
}

/// As identities are, with scrypt work that tests can afford.
pub(super) fn lock(
    key: Key<icn_identity::Software, Unlocked>,
) -> Key<icn_identity::Software, Locked> {
    let work = WorkFactor::new(10).unwrap();
    key.lock_with(&Passphrase::new(PASSPHRASE), work).unwrap()
}

impl Fixture for Software {
    type Key = Key<icn_identity::Software, Unlocked>;
    type Erased = DidKey;
    const ALGORITHM: AlgorithmId = AlgorithmId::Ed25519;
    const CUSTODY: Shows = Shows::Evidence(ProvenanceKind::Software, Assurance::None);

    fn alone<B: FnOnce(&Self)>(body: B) {
        let home = Home::new();
        let config = Config::parse(FAST).unwrap();
        let backend = config.backend(&home.path("")).unwrap().open().unwrap();
        body(&Self { home, backend, places: Places::default() });
    }

    fn key(&self, name: &str) -> Self::Key {
        kept::open(self, name)
    }

    fn erase(key: Self::Key) -> DidKey {
        key.into()
    }

    fn exchanged(&self) -> Vec<(&'static str, Result<Signature, Error>)> {
        kept::exchange(self)
    }
}

impl Kept for Software {
    const RIGHT: &'static str = PASSPHRASE;
    const WRONG: &'static str = "battery staple, correct horse";
    const IS_SENT: bool = false;

    fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    fn make(&self, name: &str) -> (DidKey, Locator) {
        let path = self.home.path(name);
        let DidKey::Software(key) = signers::memory::software() else { panic!("not of software") };
        let seed = Key::<icn_identity::Software, Unlocked>::from_seed(key.expose_secret());
        std::fs::write(&path, lock(key).as_age_file()).unwrap();
        self.home.chmod(name, 0o600);
        (seed.into(), Locator::AgeFile(path))
    }

    fn places(&self) -> &Places {
        &self.places
    }

    fn home(&self) -> Home {
        Home::new().with("ICN_PASSPHRASE", PASSPHRASE)
    }

    fn sent<T>(&self, work: impl FnOnce() -> T) -> (T, Option<usize>) {
        (work(), None)
    }

    fn is_open(&self) -> Option<bool> {
        None
    }
}
