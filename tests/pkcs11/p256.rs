//! P-256 keys: the tests of the files below once more, and what only they have.

#[path = "calls.rs"]
mod calls;
#[path = "dialects.rs"]
mod dialects;
#[path = "doubtful.rs"]
mod doubtful;
#[path = "p256_finding.rs"]
mod finding;
#[path = "keys.rs"]
mod keys;
#[path = "pin_states.rs"]
mod pin_states;
#[path = "recovery.rs"]
mod recovery;
#[path = "p256_signing.rs"]
mod signing;

use cryptoki::mechanism::Mechanism;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Backend as _, Created, Locator, NewKey, Pkcs11Locator};
use icn_identity::{AlgorithmId, Hardware, Key, P256, Unlocked};

use crate::{TOKEN, pin};
use support::softhsm::SoftHsm;

type Alg = P256;

const OID: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const GENERATION: Mechanism<'static> = Mechanism::EccKeyPairGen;
const KEY_TYPE: &str = "EC:prime256v1";

fn new_key() -> NewKey {
    NewKey::default().with_algorithm(AlgorithmId::P256)
}

fn import(hsm: &SoftHsm, label: &str, id: &str) {
    hsm.import_made_by(&["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], TOKEN, label, id);
}

fn generate(backend: &Pkcs11Backend) -> (Key<Hardware, Unlocked, P256>, Pkcs11Locator) {
    let Created { key, locator, .. } = backend.create(&new_key(), &pin()).unwrap();
    let Locator::Pkcs11(locator) = locator else { panic!("{locator:?}") };
    (key.try_into().unwrap(), locator)
}
