//! What every command on an identity begins with.

use icn_identity::Error;
use icn_identity::backend::Backend;
use icn_identity::keystore::{Credentials, Located, Opened};

use crate::context::Context;
use crate::error::CliError;
use crate::report::warn;

impl Context {
    /// The identity, found: whatever can be refused without a credential has been,
    /// before anybody is asked for one.
    pub(crate) fn locate<'a>(&self, backend: &'a dyn Backend) -> Result<Located<'a>, CliError> {
        Ok(self.store().locate(backend, self.pinned())?)
    }

    /// Asks for what opens it, does something with that, and notes what came of
    /// it.
    pub(crate) fn unlock<'a, T>(
        &self,
        identity: Located<'a>,
        work: impl FnOnce(Located<'a>, &Credentials) -> Result<T, Error>,
    ) -> Result<T, CliError> {
        let given = self.credentials(&identity)?;
        let done = work(identity, &given.credentials);
        given.used(&self.store(), done.map_err(CliError::from))
    }

    /// Opens it, and says when a renewal that was due has failed.
    pub(crate) fn open(&self, identity: Located<'_>) -> Result<Opened, CliError> {
        let opened = self.unlock(identity, Located::open)?;
        if let Some(error) = &opened.renewal_failed {
            warn("the TLS certificate is due for renewal, which failed", error);
        }
        Ok(opened)
    }
}
