//! What is on disk, and how it gets there.
//!
//! | file | what | secret |
//! |---|---|---|
//! | `icn.toml` | configuration and the pinned DID ([`crate::config`]) | no, but trusted |
//! | `identity.json` | the [`Header`]: DID, locator, evidence summary, certificate | no, and **not** trusted |
//! | `identity.age` | the payload: age v1, JSON version 5 | yes |
//! | `refused.json` | sources of PINs that a token refused | no |
//! | `given-up.json` | successors that a rollback has given up | no |
//! | `migration.json` | how far a move to another backend is | no |
//! | `unfinished.json` | what an attempt to make an identity may leave ([`Unfinished`]) | no |
//! | `tpm-approvals.json` | PCR values that an approver signed | no |
//! | `*.prev` | the previous version, while a new one is being verified | as above |
//! | `.lock` | held while the files are read or written together; names its holder | no |
//! | `.NAME.RANDOM` | a new version that is being written; swept away if its writer was killed | as above |
//!
//! The payload holds the SHA-256 of its header: a header that was changed by
//! hand, or that comes from another write, is refused before anything is
//! signed. What ICN wrote before version 5 is read by [`legacy`].

mod adopt;
pub mod backup;
mod change;
mod config_file;
mod document;
mod draft;
mod epoch;
mod export;
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(crate) mod formats;
mod given_up;
mod hand_over;
mod header;
mod identity;
mod import;
mod into_device;
mod journal;
mod kept;
pub mod legacy;
mod located;
mod migration;
mod open;
mod passphrase;
mod payload;
mod pinned;
mod refusals;
mod relocate;
mod replace;
mod retired;
mod session;
mod software;
mod succession;
#[cfg(feature = "tpm")]
mod tpm;
mod undo;
mod unfinished;
mod unlock;

pub use crate::backend::Credentials;
pub use change::Change;
pub use draft::Draft;
pub use export::{ExportTo, check_export, export_secret};
pub use hand_over::{Earlier, HandingOver, Handover, Successor};
pub use header::{EvidenceSummary, Header, Storage};
pub use identity::IdentityStore;
pub use into_device::Importable;
pub(crate) use journal::{
    Backup as JournalBackup, BackupAsked, BegunIn, During, Journal, Side, TokenKey,
};
pub use journal::{MigrationMode, MigrationPart, MigrationState};
pub use legacy::{LegacyFormat, LegacyIdentity, LegacyOptions};
pub use located::{Located, Needs};
pub(crate) use migration::{PROOF_CONTEXT, check_did, check_side};
pub use open::Opened;
pub use pinned::Pinned;
pub(crate) use refusals::{PinOwner, Place, Shares, Slot, TriedDevice};
pub use unfinished::Unfinished;

/// The age files of keys and identities.
pub mod age {
    pub use crate::agefile::WorkFactor;
}
