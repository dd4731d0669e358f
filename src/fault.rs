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
mod migration;
mod open;
mod pkcs11;
mod sign;
mod tpm;

pub use credential::CredentialError;
pub use device::DeviceError;
pub use format::FormatError;
pub(crate) use io::quoted;
pub use keystore::{KeystoreError, NotCompared};
pub use migration::{MigrationError, NotReady, WaysOut};
pub use open::OpenError;
pub use pkcs11::{ModuleProblem, PinProblem, Pkcs11Error};
pub use sign::SignError;
pub use tpm::{PcrDifference, TpmError, TpmState};

/// What scrypt takes (`r = 8`).
fn scrypt_memory(log_n: u8) -> String {
    match log_n.saturating_sub(10) {
        0 => format!("{} KiB", 1_u64.checked_shl(log_n.into()).unwrap_or(0)),
        more => format!("{} MiB", 1_u64.checked_shl(more.into()).unwrap_or(u64::MAX)),
    }
}
