//! A seed that is sealed to a TPM, whose library is in this process.

use std::env;
use std::path::PathBuf;

use icn_identity::backend::tpm::TpmBackend;
use icn_identity::backend::{Backend as _, Credentials, ImportedKey, KeyAtRest, SeedImport as _};
use icn_identity::config::{PcrIndices, TpmConfig};
use icn_identity::{DidSigner as _, Key, Pin};

use crate::secrets::Secrets;
use crate::stop;

/// A key of a seed is sealed, used, closed, and opened again; with a PIN if one is given.
pub(crate) fn import(secrets: &Secrets) {
    let device = env::var("PROBE_TPM").expect("a TPM");
    let home = PathBuf::from(env::var_os("PROBE_HOME").expect("a directory"));
    let has_pin = secrets.names().any(|name| name == "pin");
    let pin = || if has_pin { Pin::new(secrets.text("pin")) } else { Pin::none() };
    let mut config = TpmConfig::new(device);
    config.pcr_indices = PcrIndices::new([16]).expect("it is allowed");
    config.pin = has_pin;
    config.pin_work_factor = 10;
    let backend = TpmBackend::open(&home, &config).expect("it opens");
    let credential = Credentials::pin(pin());
    let key = secrets.with_bytes("seed", Key::from_seed);
    stop("in memory");
    let imported = backend.import(&key, None, &credential).expect("it is sealed");
    stop("imported");
    let did = key.did().clone();
    drop((key, credential));
    stop("source dropped");
    let ImportedKey::TpmSealed(sealed) = imported.key else { panic!("it is sealed to the TPM") };
    sealed.sign(b"message").expect("it signs");
    drop(sealed);
    stop("closed");

    let KeyAtRest::Device(found) = backend.find(&imported.locator, &did).expect("it is found")
    else {
        panic!("it is in a device");
    };
    let opened = found.unseal(&pin()).expect("it opens");
    opened.sign(b"message").expect("it signs");
    stop("opened");
    drop(opened);
    stop("closed again");
    drop(backend);
    stop("dropped");
}
