//! Moving an identity from a file into a token or a TPM, or from one device to another,
//! without ever having neither.
//!
//! | step | what it does | until then |
//! |---|---|---|
//! | [`Migration::plan`] ([`plan_of_keystore`](Migration::plan_of_keystore)) | says what will happen and what will be lost; uses no credential, changes nothing | – |
//! | backup | opens the old identity, and backs it up to where you say | nothing is made |
//! | make | a key is born in the device ([`MigrationMode::Rotate`]), or the key is written into it ([`MigrationMode::Import`]); companions are sealed for it, in a directory of their own | the old one is in use |
//! | prove | **a new process** opens it by its locator, signs and verifies | the old one is in use |
//! | state | the old key hands over to the new one, signed by both, for peers to follow (`Rotate`) | the old one is in use |
//! | switch | the new one takes the place of the old one; the old one stays whole in `previous/` | from now on the new one is in use |
//! | [`Migration::finish`] | removes the old one, when a person says so | – |
//!
//! Each step is written down before the next one begins, and can be done again: a second
//! [`Migration::run`] goes on where the first one ended, whatever ended it.
//! [`Migration::roll_back`] undoes all of it, also after the switch. Where a device is gone
//! that either end wants, its key is given up by name ([`KeyOnToken::Keep`]); where the journal
//! is lost, it is written again from the files ([`Migration::recover`]).

mod backup;
mod epoch;
mod finish;
mod forward;
mod from_keystore;
mod operator;
mod part;
mod plan;
mod planned;
mod prove;
mod recover;
mod renamed;
mod request;
mod roll_back;
mod run;
mod same;
mod statement;
mod status;
mod stay;
mod step;

use std::path::Path;

pub use self::backup::BackupAtEnd;
pub use self::finish::Finished;
pub use self::operator::{Operator, ProofError, Staged};
pub use self::part::PartOfMigration;
pub use self::plan::{Plan, PlannedOpening, PlannedStep};
pub use self::request::{BackupFirst, MigrationRequest};
pub use self::roll_back::{KeyOnToken, RolledBack};
pub use self::run::Migrated;
pub use self::status::MigrationStatus;
use crate::error::{CredentialError, Error};
use crate::file;
use crate::home::CredentialSource;
pub use crate::home::KeyLeft;
pub use crate::keystore::{MigrationMode, MigrationPart, MigrationState};
use crate::secret::LockedText;

/// The move of one identity to another backend.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Migration;

/// **Blocks** on files. What [`Staged::write_credentials`] has written into a pipe that this
/// process was given (`/dev/stdin`): the source for the identity that it has to open.
///
/// # Errors
///
/// If it cannot be read.
pub fn read_credentials(pipe: &Path) -> Result<CredentialSource<'static>, Error> {
    let odd = |problem| CredentialError::NotOneLine {
        what: "PIN or passphrase",
        origin: format!(" in {}", pipe.display()),
        problem,
        is_new: false,
    };
    let text = file::read_secret_text(pipe)?.map_err(odd)?;
    let (pin, passphrase) = text.expose_secret().split_once('\n').unwrap_or_default();
    let source = match pin {
        // Of a PIN pad, or none is wanted.
        "" => CredentialSource::pin_pad(),
        pin => CredentialSource::given(LockedText::from(pin)),
    };
    Ok(source.and_passphrase(CredentialSource::given(LockedText::from(passphrase))))
}
