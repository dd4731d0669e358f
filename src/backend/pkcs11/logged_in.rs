//! Finding keys within a login: on tokens that show none without.

use std::fmt;

use cryptoki::object::ObjectHandle;

use super::connection::LoginGuard;
use super::finding::{labelled, meant, of_did, shown_at, shown_by_private, the_only};
use super::half::must_not_be_half;
use super::login::Meant;
use super::object::Objects;
use super::session::Session;
use super::token::{Token, Wanted};
use super::{Pkcs11Backend, not_this};
use crate::algorithm::VerifyingKey;
use crate::backend::{Backend as _, Credentials, Pkcs11Locator, Pkcs11Uri};
use crate::did::Did;
use crate::error::{DeviceError, Pkcs11Error};

/// A login to one token, to look for keys that it does not show without: as long as
/// this lives, and no longer.
///
/// Other keys of the token that are opened with the same PIN meanwhile share it: the
/// PIN is not sent again.
#[must_use = "dropped, it ends the login"]
pub struct LoggedIn<'a> {
    pub(super) backend: &'a Pkcs11Backend,
    pub(super) token: Token,
    pub(super) login: LoginGuard,
}

impl Pkcs11Backend {
    /// **Blocks** on the device. Logs in to the one token that the configuration
    /// means, its `key` too. The PIN is sent there once, and to no other token.
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error::AmbiguousToken`] if several match, and no PIN is sent; as when a
    /// key is opened, if the PIN is not taken.
    pub fn log_in(&self, credentials: &Credentials) -> Result<LoggedIn<'_>, DeviceError> {
        self.log_in_for(Meant::None, credentials)
    }

    /// The same, to look for a key that is hidden without a login: the PIN is not sent where
    /// other keys are shown, unless `key` of the configuration names the token.
    pub(crate) fn log_in_where_hidden(
        &self,
        credentials: &Credentials,
    ) -> Result<LoggedIn<'_>, DeviceError> {
        let is_named = self.config.key.as_ref().is_some_and(Pkcs11Uri::names_a_token);
        self.log_in_for(if is_named { Meant::None } else { Meant::Hidden }, credentials)
    }

    fn log_in_for(
        &self,
        meant: Meant<'_>,
        credentials: &Credentials,
    ) -> Result<LoggedIn<'_>, DeviceError> {
        let pin = credentials.want_pin(self.kind())?;
        let token = self.token()?;
        let login = LoginGuard::enter_for(meant, &token, pin, self.policy())?;
        Ok(LoggedIn { backend: self, token, login })
    }
}

impl LoggedIn<'_> {
    /// **Blocks** on the device. As [`Pkcs11Backend::find_by_label`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn find_by_label(&self, label: &str) -> Result<Pkcs11Locator, Pkcs11Error> {
        self.with(|objects| labelled(objects, label))
    }

    /// **Blocks** on the device. As [`Pkcs11Backend::locate`], on this token.
    ///
    /// # Errors
    ///
    /// As there; [`Pkcs11Error::NoToken`] if the URI means another token.
    pub fn locate(&self, uri: &Pkcs11Uri) -> Result<Pkcs11Locator, Pkcs11Error> {
        self.must_be(&self.backend.wanted().and_uri(uri))?;
        self.with(|objects| meant(objects, uri))
    }

    /// **Blocks** on the device. As [`Pkcs11Backend::search`], on this token alone,
    /// among the keys that `key` of the configuration means.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn search(&self, did: &Did) -> Result<Pkcs11Locator, Pkcs11Error> {
        self.search_for(did, None)
    }

    /// The same, of a key that was at a locator: what has its id or its label there may be its
    /// private half alone.
    pub(crate) fn search_for(
        &self,
        did: &Did,
        before: Option<&Pkcs11Locator>,
    ) -> Result<Pkcs11Locator, Pkcs11Error> {
        let uri = self.backend.config.key.clone().unwrap_or_default();
        self.with(|objects| {
            let mut found = of_did(objects, did, &uri)?;
            if found.is_empty() {
                found = shown_by_private(objects, did, &uri)?;
            }
            if found.is_empty()
                && let Some(before) = before
            {
                must_not_be_half(objects, before, &uri)?;
            }
            the_only(found, did, vec![self.token.full_name()], true)
        })
    }

    /// **Blocks** on the device. As [`Pkcs11Backend::public_key`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn public_key(&self, locator: &Pkcs11Locator) -> Result<VerifyingKey, Pkcs11Error> {
        self.must_be(&self.backend.wanted().narrowed_to(locator, &self.backend.module)?)?;
        self.with(|objects| shown_at(objects, locator))
    }

    pub(super) fn token(&self) -> &Token {
        &self.token
    }

    /// Gives the PIN for the one operation that was begun, where the key wants that.
    pub(super) fn confirm(
        &self,
        session: &Session,
        private: ObjectHandle,
    ) -> Result<(), Pkcs11Error> {
        let (_, always_pin) = Objects { token: &self.token, session }.facts(private)?;
        if !always_pin {
            return Ok(());
        }
        self.login.confirm(Objects { token: &self.token, session }, self.backend.policy())
    }

    pub(super) fn must_be(&self, wanted: &Wanted) -> Result<(), Pkcs11Error> {
        if wanted.matches(&self.token) {
            return Ok(());
        }
        Err(not_this(wanted.to_string(), self.token.full_name()))
    }

    fn with<T>(
        &self,
        look: impl FnOnce(Objects<'_>) -> Result<T, Pkcs11Error>,
    ) -> Result<T, Pkcs11Error> {
        let session = self.token.session()?;
        look(Objects { token: &self.token, session: &session })
    }
}

impl fmt::Debug for LoggedIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggedIn").field("token", &self.token).finish_non_exhaustive()
    }
}
