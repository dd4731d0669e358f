//! Keys of a TPM: sealed to it, and made in it.

use std::marker::PhantomData;

use icn_identity::backend::{Backend, Created, Credentials, Locator, NewKey};
use icn_identity::config::Config;
use icn_identity::{
    AlgorithmId, Assurance, DidKey, DidMethod, Error, Hardware, Key, P256, Pin, ProvenanceKind,
    Signature, TpmSealed, Unlocked,
};
use support::alone::alone_as;
use support::home::Home;
use support::swtpm::Swtpm;

use super::fixture::Shows;
use super::kept::{self, Places, find, place, try_open};
use super::properties::evidence::ChangesEvidence;
use super::{Fixture, Kept, MESSAGE, OpenKey, conformance};

conformance! {
    device ed25519: Tpm<Key<TpmSealed, Unlocked>>;
    device p256: Tpm<Key<Hardware, Unlocked, P256>>;
}

const PIN: &str = "5-wise-owls";

struct Tpm<K> {
    backend: Box<dyn Backend>,
    places: Places,
    /// Dropped after the backend, which has it for its files.
    _home: Home,
    tpm: Swtpm,
    kind: PhantomData<fn() -> K>,
}

/// What a TPM has.
trait InTpm: OpenKey {
    const PROVENANCE: ProvenanceKind;
}

impl InTpm for Key<TpmSealed, Unlocked> {
    const PROVENANCE: ProvenanceKind = ProvenanceKind::TpmSealed;
}

impl InTpm for Key<Hardware, Unlocked, P256> {
    const PROVENANCE: ProvenanceKind = ProvenanceKind::Hardware;
}

/// To PCR 16, and a PIN.
fn config(tpm: &Swtpm) -> String {
    format!(
        "[identity]\nbackend = \"tpm\"\n[identity.tpm]\ndevice_path = {:?}\n\
         pcr_indices = [16]\npin_work_factor = 10\n",
        tpm.tcti()
    )
}

impl<K: InTpm> Fixture for Tpm<K> {
    type Key = K;
    type Erased = DidKey;
    const ALGORITHM: AlgorithmId = K::ALGORITHM;
    const CUSTODY: Shows = Shows::Evidence(K::PROVENANCE, Assurance::SoftToken);

    /// What other tests start must not inherit the connections to the TPM.
    fn alone<B: FnOnce(&Self)>(body: B) {
        alone_as::<B>(|| {
            let (tpm, home) = (Swtpm::start(), Home::new());
            let config = Config::parse(&config(&tpm)).unwrap();
            let backend = config.backend(&home.path("")).unwrap().open().unwrap();
            let places = Places::default();
            body(&Self { backend, places, _home: home, tpm, kind: PhantomData });
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

impl<K: InTpm> Kept for Tpm<K> {
    const RIGHT: &'static str = PIN;
    const WRONG: &'static str = "6-daft-owls";
    const IS_SENT: bool = true;
    /// Three objects, and the key above them is one.
    const ROOM: u8 = 2;

    fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    fn make(&self, _: &str) -> (DidKey, Locator) {
        let request = NewKey::new(DidMethod::Icn).with_algorithm(K::ALGORITHM);
        let created = self.backend.create(&request, &Credentials::pin(Pin::new(PIN)));
        let Created { key, locator, .. } = created.unwrap();
        (key, locator)
    }

    fn places(&self) -> &Places {
        &self.places
    }

    fn home(&self) -> Home {
        let home = Home::new().with("ICN_PIN", PIN);
        home.write("icn.toml", &config(&self.tpm));
        home
    }

    /// Each wrong one costs a try.
    fn sent<T>(&self, work: impl FnOnce() -> T) -> (T, Option<usize>) {
        let before = self.tpm.lockout_counter();
        let done = work();
        let counted = self.tpm.lockout_counter() - before;
        (done, Some(counted.try_into().unwrap()))
    }

    /// Nothing of ours stays in it. Of what was unsealed nothing is in it either way.
    fn is_open(&self) -> Option<bool> {
        let left = (self.tpm.transients(), self.tpm.sessions());
        (left != (0, 0)).then_some(true)
    }
}

impl<K: InTpm> ChangesEvidence for Tpm<K> {
    /// The attributes of its object, which stand in the header that anybody may have changed.
    fn change(&self) -> Vec<(String, Result<(), Error>)> {
        let (locator, did) = place(self, "one");
        let Locator::Tpm(object) = &locator else { panic!("{locator:?}") };
        let flips = (0..32).map(|bit| {
            let mut changed = object.clone();
            // TPM2B_PUBLIC: its size, its type and the algorithm of its name come first.
            changed.public[6 + bit / 8] ^= 1 << (bit % 8);
            let opened = find(self, &Locator::Tpm(changed), &did).and_then(|found| {
                let opened = try_open::<K>(found, PIN).map_err(|refused| refused.into_parts().1);
                Ok(opened?.sign(MESSAGE).map(drop)?)
            });
            (format!("attribute {bit}"), opened)
        });
        let changed = flips.collect();
        kept::open(self, "one").sign(MESSAGE).unwrap();
        assert_eq!(self.tpm.lockout_counter(), 0);
        changed
    }
}
