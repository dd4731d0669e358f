//! The audit log: who had the key do what, in lines that cannot be changed unnoticed.
//!
//! | | |
//! |---|---|
//! | [`AuditLog`] | appends a line, and returns when it is on disk |
//! | [`Entry`] | what a line says: an [`Event`], what came of it, for whom |
//! | [`AuditKey`] | makes the tag that stands for a message |
//! | [`verify()`], [`tail()`] | whether a log is as it was written; its last lines |
//! | [`Checkpoint`] | its last line, signed by the DID, to be kept elsewhere |
//!
//! # Before, not after
//!
//! A line is on disk **before** the key is used, and nothing is done of which no line could
//! be written. So there is no use without its line; and there may be a line without its use,
//! where a program was killed in between. A use that fails afterwards has a second line,
//! with `failed`.
//!
//! # What a line shows
//!
//! JSON, one object a line:
//!
//! ```json
//! {"seq":17,"at":"2026-11-28T10:00:00.123Z","chain":"9f3c…","prev":"…","event":"sign",
//!  "result":"allowed","request":"…","client":"payments","uid":1001,"gid":1001,"pid":4711,
//!  "exe":"/usr/bin/x","unit":"x.service","context":"payments@coop.example",
//!  "message":"…","length":123,"hash":"…"}
//! ```
//!
//! `hash` is the SHA-256 of the line up to `,"hash"`, and `prev` the `hash` of the line
//! before: a line that was changed is known by itself, one that was taken out, put in or
//! moved by its neighbours. Who can write to the file can write it anew from some line on,
//! with all hashes right, or cut off its end: a [`Checkpoint`] that is kept elsewhere shows
//! that.
//!
//! There is no message in it, no secret, and no text of an error. `message` is an HMAC
//! under a key that only the identity's payload gives.

mod batch;
mod checkpoint;
mod cut;
mod earlier;
mod entry;
mod error;
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(crate) mod formats;
mod head;
mod key;
mod line;
mod log;
mod note;
mod record;
mod remains;
mod requester;
mod tail;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub use self::checkpoint::{Checkpoint, SignedCheckpoint};
pub use self::earlier::earlier_files;
pub use self::entry::{Entry, Event, RequestId};
pub use self::error::{AuditError, Fault};
pub use self::key::{AuditKey, MessageHash, MessageTag};
pub use self::log::AuditLog;
pub use self::record::{Record, tail};
pub use self::requester::Requester;
pub use self::verify::{TornPlace, Verified, verify};

/// What a log is called in the home of an identity, where the configuration does not say.
pub const DEFAULT_NAME: &str = "audit.log";
