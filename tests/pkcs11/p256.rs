//! What differs for P-256 keys, and what only they have.

mod finding;
mod signing;

use cryptoki::mechanism::Mechanism;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Backend as _, Created, Locator, NewKey, Pkcs11Locator};
use icn_identity::{AlgorithmId, Hardware, Key, P256, Unlocked};
use support::softhsm::SoftHsm;

use crate::{TOKEN, pin};

pub(crate) type Alg = P256;

pub(crate) const OID: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
pub(crate) const GENERATION: Mechanism<'static> = Mechanism::EccKeyPairGen;
pub(crate) const KEY_TYPE: &str = "EC:prime256v1";

pub(crate) fn new_key() -> NewKey {
    NewKey::default().with_algorithm(AlgorithmId::P256)
}

pub(crate) fn import(hsm: &SoftHsm, label: &str, id: &str) {
    hsm.import_made_by(&["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], TOKEN, label, id);
}

pub(crate) fn generate(backend: &Pkcs11Backend) -> (Key<Hardware, Unlocked, P256>, Pkcs11Locator) {
    let Created { key, locator, .. } = backend.create(&new_key(), &pin()).unwrap();
    let Locator::Pkcs11(locator) = locator else { panic!("{locator:?}") };
    (key.try_into().unwrap(), locator)
}
