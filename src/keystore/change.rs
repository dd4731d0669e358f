//! A change of where an identity is, that is ready and not written yet.

use std::fmt;
use std::path::Path;

use super::config_file::{Cause, ConfigFile, Pin};
use super::header::Header;
use super::session::Session;
use crate::bundle::IdentityBundle;
use crate::error::Error;
use crate::key::DidKey;

/// An identity that is open under its lock, and will be found elsewhere, or is
/// sealed anew, once [`Self::write`] is called.
///
/// So the configuration can say it first ([`Self::write_config`]): it is never
/// the identity alone that has moved.
#[must_use = "nothing is changed until it is written"]
pub struct Change {
    /// Put back when this is dropped: before the session, which has the lock.
    config: ConfigFile,
    session: Session,
    next: Header,
    /// There is something to be written.
    changes: bool,
}

impl Change {
    pub(super) fn new(session: Session) -> Self {
        let next = session.next_header();
        Self { session, next, config: ConfigFile::default(), changes: true }
    }

    /// Everything is as it should be.
    pub(super) fn none(session: Session) -> Self {
        let next = session.header.clone().seen(session.place.is_shown());
        Self { session, next, config: ConfigFile::default(), changes: false }
    }

    /// The header that will be there.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.next
    }

    /// **Blocks** on files. Changes the configuration, as
    /// [`Draft::write_config`](super::Draft::write_config) does. If the identity
    /// cannot be changed, it is put back as it was.
    ///
    /// # Errors
    ///
    /// As there; no other DID's pin is replaced.
    pub fn write_config(
        &mut self,
        path: &Path,
        edit: impl FnOnce(Option<&str>) -> Result<String, Cause>,
    ) -> Result<(), Error> {
        let pin = Pin { store: &self.session.store, did: self.next.did(), never_made: &[] };
        self.config.write(&pin, path, edit)
    }

    /// **Blocks** on scrypt and files. Writes the identity, and reads it back.
    ///
    /// # Errors
    ///
    /// If it cannot be written: everything is as it was then.
    pub fn write(mut self) -> Result<IdentityBundle<DidKey>, Error> {
        if self.changes {
            self.session.rewrite()?;
        }
        self.config.keep();
        Ok(self.session.bundle)
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").field("did", self.next.did()).finish_non_exhaustive()
    }
}
