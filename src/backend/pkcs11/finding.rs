//! Finding keys without a PIN: by label, by URI, by DID.

use cryptoki::object::ObjectHandle;

use super::connection::Connection;
use super::module::Module;
use super::object::{Objects, with_id};
use super::token::{self, Token, Wanted};
use super::{Pkcs11Backend, locator};
use crate::algorithm::VerifyingKey;
use crate::backend::{Pkcs11Locator, Pkcs11Uri};
use crate::config::Pkcs11Config;
use crate::did::{Did, DidMethod};
use crate::error::Pkcs11Error;

impl Pkcs11Backend {
    /// **Blocks** on the device. Finds the public key with this `CKA_LABEL`, without
    /// a PIN: the way to a key that was not made by
    /// [`crate::backend::Backend::create`].
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error::NoKey`] or [`Pkcs11Error::AmbiguousKey`] unless there is
    /// exactly one.
    pub fn find_by_label(&self, label: &str) -> Result<Pkcs11Locator, Pkcs11Error> {
        let token = self.token()?;
        let session = token.session()?;
        let objects = Objects { token: &token, session: &session };
        Connection::steadily(objects, |objects, _| labelled(objects, label))
    }

    /// **Blocks** on the device. Finds the public key that a URI means, without a
    /// PIN. The token must also be the configured one; if several could be it, the one
    /// that shows the key is.
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error::NoKey`] or [`Pkcs11Error::AmbiguousKey`] unless there is
    /// exactly one; [`Pkcs11Error::AmbiguousToken`] if it is on several tokens, or on
    /// none of several.
    pub fn locate(&self, uri: &Pkcs11Uri) -> Result<Pkcs11Locator, Pkcs11Error> {
        let wanted = self.wanted().and_uri(uri);
        let several = match Token::select(&self.module, &wanted) {
            Ok(token) => {
                let session = token.session()?;
                let objects = Objects { token: &token, session: &session };
                return Connection::steadily(objects, |objects, _| meant(objects, uri));
            }
            Err(error @ Pkcs11Error::AmbiguousToken { .. }) if uri.names_a_key() => error,
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for token in token::present(&self.module)?.iter().filter(|token| wanted.matches(token)) {
            let session = token.session()?;
            let objects = Objects { token, session: &session };
            match Connection::steadily(objects, |objects, _| meant(objects, uri)) {
                Ok(locator) => found.push(locator),
                Err(Pkcs11Error::NoKey { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        match (found.pop(), found.is_empty()) {
            (Some(only), true) => Ok(only),
            _ => Err(several),
        }
    }

    /// **Blocks** on the device. Looks for the key of a DID on every token of the
    /// configured module that a URI means, without a PIN: on a token that was
    /// restored, cloned or replaced.
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error::NotFound`] or [`Pkcs11Error::FoundTwice`].
    pub fn search(
        config: &Pkcs11Config,
        did: &Did,
        uri: &Pkcs11Uri,
    ) -> Result<Pkcs11Locator, Pkcs11Error> {
        let tokens = token::present(&Module::open(config)?)?;
        let wanted = Wanted::from_uri(uri);
        let (mut found, mut searched) = (Vec::new(), Vec::new());
        for token in tokens.iter().filter(|token| wanted.matches(token)) {
            searched.push(token.full_name());
            let session = token.session()?;
            let objects = Objects { token, session: &session };
            found.extend(Connection::steadily(objects, |objects, _| of_did(objects, did, uri))?);
        }
        the_only(found, did, searched, false)
    }

    /// **Blocks** on the device. The public key of a pair, without a PIN.
    ///
    /// # Errors
    ///
    /// If there is not exactly one, or it cannot be read.
    pub fn public_key(&self, locator: &Pkcs11Locator) -> Result<VerifyingKey, Pkcs11Error> {
        let wanted = self.wanted().narrowed_to(locator, &self.module)?;
        let token = Token::select(&self.module, &wanted)?;
        let session = token.session()?;
        let objects = Objects { token: &token, session: &session };
        Connection::steadily(objects, |objects, _| shown_at(objects, locator))
    }

    /// **Blocks** on the device. Whether the configured token shows any key that an
    /// identity can have. Some tokens (YubiHSM 2) show none before a login: see
    /// [`Self::log_in`].
    ///
    /// # Errors
    ///
    /// If there is not exactly one such token, or it cannot be searched.
    pub fn shows_a_key(&self) -> Result<bool, Pkcs11Error> {
        let token = self.token()?;
        let session = token.session()?;
        let objects = Objects { token: &token, session: &session };
        Connection::steadily(objects, |objects, _| {
            for public in objects.all_public()? {
                if !objects.keeps_storage(public)? {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// **Blocks** on the device. Whether the token of a locator shows public keys, of
    /// whatever kind and with another id, before a login. One that does, and has shown the
    /// key there before ([`SealedKey::check_shown`](crate::key::SealedKey::check_shown)),
    /// has lost its public object, or the key.
    ///
    /// # Errors
    ///
    /// If the token is not there, or cannot be searched.
    pub fn shows_other_public_keys(&self, locator: &Pkcs11Locator) -> Result<bool, Pkcs11Error> {
        let wanted = self.wanted().narrowed_to(locator, &self.module)?;
        let token = Token::select(&self.module, &wanted)?;
        let session = token.session()?;
        let objects = Objects { token: &token, session: &session };
        Connection::steadily(objects, |objects, _| objects.shows_public_keys_but(&locator.id))
    }

    /// **Blocks** on the device. Whether the token of a locator says that a self-test of it
    /// has failed (`CKF_ERROR_STATE`).
    ///
    /// # Errors
    ///
    /// If the token is not there, or says nothing.
    pub fn has_failed_self_test(&self, locator: &Pkcs11Locator) -> Result<bool, Pkcs11Error> {
        let wanted = self.wanted().narrowed_to(locator, &self.module)?;
        Ok(Token::select(&self.module, &wanted)?.info()?.error_state())
    }
}

/// The one public key with a label.
pub(super) fn labelled(objects: Objects<'_>, label: &str) -> Result<Pkcs11Locator, Pkcs11Error> {
    let found = objects.public_labelled(label)?;
    let Some(public) = objects.at_most_one(&found, || format!("labelled {label:?}"))? else {
        return Err(objects.none_labelled(label)?);
    };
    Ok(locator(objects.token, objects.id(public)?, label))
}

/// The one public key that a URI means.
pub(super) fn meant(objects: Objects<'_>, uri: &Pkcs11Uri) -> Result<Pkcs11Locator, Pkcs11Error> {
    let found = objects.public_of(uri)?;
    let Some(public) = objects.at_most_one(&found, || format!("that {uri} means"))? else {
        return Err(objects.none_of(uri)?);
    };
    Ok(locator(objects.token, objects.id(public)?, &objects.label(public)?))
}

/// Where the key of a DID is, among those that a URI means.
pub(super) fn of_did(
    objects: Objects<'_>,
    did: &Did,
    uri: &Pkcs11Uri,
) -> Result<Vec<Pkcs11Locator>, Pkcs11Error> {
    showing(objects, did, objects.public_of(uri)?)
}

/// The same by private keys, within a login: some modules have them show the public key,
/// also where its own object was deleted.
pub(super) fn shown_by_private(
    objects: Objects<'_>,
    did: &Did,
    uri: &Pkcs11Uri,
) -> Result<Vec<Pkcs11Locator>, Pkcs11Error> {
    showing(objects, did, objects.private_of(uri)?)
}

fn showing(
    objects: Objects<'_>,
    did: &Did,
    keys: Vec<ObjectHandle>,
) -> Result<Vec<Pkcs11Locator>, Pkcs11Error> {
    let mut found = Vec::new();
    for object in keys {
        // A key in an unknown encoding is none of ours.
        if let Ok(Some(key)) = objects.point(object)
            && key == *did.verifying_key()
        {
            found.push(locator(objects.token, objects.id(object)?, &objects.label(object)?));
        }
    }
    Ok(found)
}

/// The one place where the key of a DID was found.
pub(super) fn the_only(
    mut found: Vec<Pkcs11Locator>,
    did: &Did,
    searched: Vec<String>,
    logged_in: bool,
) -> Result<Pkcs11Locator, Pkcs11Error> {
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Pkcs11Error::NotFound { did: did.clone(), tokens: searched, logged_in }),
        (Some(last), false) => {
            found.push(last);
            let candidates = found.iter().map(ToString::to_string).collect();
            Err(Pkcs11Error::FoundTwice { did: did.clone(), candidates })
        }
    }
}

/// The public key that is shown for a pair.
pub(super) fn shown_at(
    objects: Objects<'_>,
    locator: &Pkcs11Locator,
) -> Result<VerifyingKey, Pkcs11Error> {
    let name = || with_id(&locator.id);
    let public = objects.exactly_one(&objects.public(&locator.id)?, name)?;
    objects.point(public)?.ok_or_else(|| Pkcs11Error::PublicKey {
        token: objects.token.name(),
        reason: format!("the public key {} shows no CKA_EC_POINT", name()),
    })
}

/// The keys that a token shows without a login, as far as they can be read.
pub(super) fn shown_by(token: &Token) -> Result<Vec<Did>, Pkcs11Error> {
    let session = token.session()?;
    let objects = Objects { token, session: &session };
    let shown =
        objects.all_public()?.into_iter().filter_map(|public| objects.point(public).ok()?);
    Ok(shown.map(|key| Did::fitting(DidMethod::Key, &key)).collect())
}
