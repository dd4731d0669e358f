//! Storage keys of identities, kept by their token.

use super::connection::LoginGuard;
use super::keep::ToKeep;
use super::keygen::Lifetime;
use super::object::Objects;
use super::template::storage_label;
use super::token::Token;
use super::{Pkcs11Backend, may_make_keys, planned_on, storage, template};
use crate::backend::{Credentials, Plan, StorageVault, WrappedKey};
use crate::did::Did;
use crate::error::{DeviceError, Pkcs11Error};
use crate::secret::LockedText;

impl Pkcs11Backend {
    /// The token that keeps, or will keep, the storage key of a DID.
    pub(super) fn vault_token(&self, did: &Did) -> Result<Token, Pkcs11Error> {
        let known = self.known().get(did.as_str()).cloned();
        let wanted = match known {
            Some(locator) => self.wanted().narrowed_to(&locator, &self.module)?,
            None => self.wanted(),
        };
        Token::select(&self.module, &wanted)
    }
}

impl StorageVault for Pkcs11Backend {
    fn wrap_as(
        &self,
        plan: &Plan,
        did: &Did,
        storage_key: &LockedText,
        _: &Credentials,
    ) -> Result<Option<WrappedKey>, DeviceError> {
        let token = self.vault_token(did)?;
        let id = match &plan.names {
            Some(names) => planned_on(&token, names)?.storage_id(),
            None => template::random_id(&token.name())?,
        };
        let _login = LoginGuard::join(&token)?;
        if !may_make_keys(&self.config, &token) {
            return Ok(None);
        }
        let of_key = self.known().get(did.as_str()).map(|locator| locator.label.clone());
        let label = storage_label(of_key.as_deref().unwrap_or_default());
        let (id, label, lifetime) = (id.as_slice(), label.as_str(), Lifetime::Token);
        storage::wrap(&token, ToKeep { id, label, lifetime, did, storage_key })
    }

    fn unwrap(
        &self,
        did: &Did,
        wrapped: &WrappedKey,
        _: &Credentials,
    ) -> Result<LockedText, DeviceError> {
        let token = self.vault_token(did)?;
        let _login = LoginGuard::join(&token)?;
        let session = token.session()?;
        Objects { token: &token, session: &session }.unwrap(did, wrapped)
    }
}
