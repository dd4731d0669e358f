//! Signers that somebody else wrote.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use icn_identity::{
    Algorithm, AlgorithmId, Custody, DidKey, DidSigner, Ed25519, Error, ExternalSigner, Key, P256,
    Refused, Signature, Unlocked, VerifyingKey,
};

use super::fixture::Shows;
use super::{Fixture, MESSAGE, conformance};
use crate::signers::memory::InMemory;

conformance! {
    signer ed25519: Foreign<Ed25519>;
    signer p256: Foreign<P256>;
}

struct Foreign<A> {
    keys: Mutex<BTreeMap<String, Arc<InMemory>>>,
    algorithm: PhantomData<fn() -> A>,
}

/// A signer that may turn to another key, which it does not show.
struct Turning {
    shown: Arc<InMemory>,
    other: Arc<InMemory>,
    has_turned: Arc<AtomicBool>,
}

impl ExternalSigner for Turning {
    fn verifying_key(&self) -> VerifyingKey {
        self.shown.verifying_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn StdError + Send + Sync>> {
        let key = if self.has_turned.load(Ordering::SeqCst) { &self.other } else { &self.shown };
        key.sign(message)
    }
}

trait Taken: Algorithm {
    type Key: DidSigner + Debug + Into<DidKey> + 'static;
    fn take(signer: Turning) -> Result<Self::Key, Refused<Turning>>;
}

impl Taken for Ed25519 {
    type Key = Key<icn_identity::External, Unlocked>;
    fn take(signer: Turning) -> Result<Self::Key, Refused<Turning>> {
        Key::from_external(signer)
    }
}

impl Taken for P256 {
    type Key = Key<icn_identity::External, Unlocked, P256>;
    fn take(signer: Turning) -> Result<Self::Key, Refused<Turning>> {
        Key::from_external_p256(signer)
    }
}

impl<A: Taken> Foreign<A> {
    fn signer(&self, name: &str) -> Arc<InMemory> {
        let mut keys = self.keys.lock().unwrap();
        let key = keys.entry(name.to_owned());
        key.or_insert_with(|| Arc::new(InMemory::generate(A::ID))).clone()
    }

    fn turning(&self, has_turned: bool) -> (Turning, Arc<AtomicBool>) {
        let has_turned = Arc::new(AtomicBool::new(has_turned));
        let (shown, other) = (self.signer("one"), self.signer("other"));
        (Turning { shown, other, has_turned: has_turned.clone() }, has_turned)
    }
}

impl<A: Taken> Fixture for Foreign<A> {
    type Key = A::Key;
    type Erased = DidKey;
    const ALGORITHM: AlgorithmId = A::ID;
    const CUSTODY: Shows = Shows::Nothing(Custody::Unproven);

    fn alone<B: FnOnce(&Self)>(body: B) {
        body(&Self { keys: Mutex::default(), algorithm: PhantomData });
    }

    fn key(&self, name: &str) -> Self::Key {
        let key = self.signer(name);
        let (shown, other, has_turned) = (key.clone(), key, Arc::default());
        A::take(Turning { shown, other, has_turned }).unwrap_or_else(|refused| panic!("{refused}"))
    }

    fn erase(key: Self::Key) -> DidKey {
        key.into()
    }

    fn exchanged(&self) -> Vec<(&'static str, Result<Signature, Error>)> {
        let (turned, _) = self.turning(true);
        let from_the_start = match A::take(turned) {
            Ok(key) => key.sign(MESSAGE).map_err(Error::from),
            Err(refused) => {
                let (signer, reason) = refused.into_parts();
                assert_eq!(signer.verifying_key(), self.signer("one").verifying_key());
                Err(reason.into())
            }
        };
        let (turning, has_turned) = self.turning(false);
        let key = A::take(turning).unwrap_or_else(|refused| panic!("{refused}"));
        has_turned.store(true, Ordering::SeqCst);
        let later = key.sign(MESSAGE).map_err(Error::from);
        vec![("another key from the start", from_the_start), ("another key later", later)]
    }
}
