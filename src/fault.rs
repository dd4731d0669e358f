//! What can go wrong with a key, its device and its files: the errors that the
//! rooms below [`crate::error`] return. One rule: an enum lives beside what fails.
//!
//! They are public as `icn_identity::error::*`.

mod credential;
mod device;
mod device_cause;
mod format;
mod io;
mod keystore;
mod kinds;
mod open;
mod pkcs11;
mod sign;
mod tpm;

pub use credential::CredentialError;
pub use device::DeviceError;
pub use format::FormatError;
pub(crate) use io::quoted;
pub use keystore::KeystoreError;
pub use open::OpenError;
pub use pkcs11::{ModuleProblem, PinProblem, Pkcs11Error};
pub use sign::SignError;
pub use tpm::{PcrDifference, TpmError, TpmState};
