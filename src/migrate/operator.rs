//! Who gives the credentials of both identities, and starts the process that proves the new
//! one.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use crate::backend::Credentials;
use crate::did::Did;
use crate::home::{CredentialSource, Wants};

/// Why a new process did not use the new key.
pub type ProofError = Box<dyn StdError + Send + Sync>;

/// Who gives the credentials of both identities, and starts the process that proves the
/// new one.
pub trait Operator {
    /// **Blocks** while a person is asked. Where the credential of the old identity comes
    /// from. It is wanted for several steps: the same one each time.
    fn old_credential(&mut self, wants: &Wants) -> CredentialSource<'static>;

    /// **Blocks** while a person is asked. Where the credential of the new identity comes
    /// from, which is to be chosen at first where the device has none.
    fn new_credential(&mut self, wants: &Wants) -> CredentialSource<'static>;

    /// **Blocks** on another process. Has **a new process** open the identity that is in
    /// [`Staged::directory`], sign something with it, and verify that, by
    /// [`Migration::prove_staged`](crate::migrate::Migration::prove_staged) with [`read_credentials`].
    ///
    /// # Errors
    ///
    /// If it did not.
    ///
    /// [`Home::open`]: crate::home::Home::open
    /// [`read_credentials`]: super::read_credentials
    fn prove(&mut self, staged: &Staged<'_>) -> Result<(), ProofError>;
}

/// A new identity that is not in use yet.
pub struct Staged<'a> {
    pub(super) directory: &'a Path,
    pub(super) did: &'a Did,
    pub(super) credentials: &'a Credentials,
}

impl Staged<'_> {
    /// Its home, with a configuration of its own.
    #[must_use]
    pub const fn directory(&self) -> &Path {
        self.directory
    }

    /// Whose it is.
    #[must_use]
    pub const fn did(&self) -> &Did {
        self.did
    }

    /// **Blocks** on the pipe. Writes what opens it, for
    /// [`read_credentials`](super::read_credentials) at the other end: into a pipe that the
    /// process inherits, which nobody else can read, and nowhere else.
    ///
    /// # Errors
    ///
    /// Those of the pipe.
    pub fn write_credentials(&self, pipe: &mut impl Write) -> io::Result<()> {
        self.credentials.write_lines(pipe)
    }
}

impl fmt::Debug for Staged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staged")
            .field("directory", &self.directory)
            .field("did", self.did)
            .finish_non_exhaustive()
    }
}
