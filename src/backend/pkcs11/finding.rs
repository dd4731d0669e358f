//! Finding keys without a PIN: by label, by URI, by DID.

use std::path::Path;

use super::module::Module;
use super::object::{Objects, with_id};
use super::token::{self, Token, Wanted};
use super::{Pkcs11Backend, locator};
use crate::algorithm::VerifyingKey;
use crate::backend::{Pkcs11Locator, Pkcs11Uri};
use crate::did::Did;
use crate::error::Pkcs11Error;

impl Pkcs11Backend {
    /// Finds the public key with this `CKA_LABEL`, without a PIN: the way to
    /// a key that was not made by [`crate::backend::Backend::create`].
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error::NoKey`] or [`Pkcs11Error::AmbiguousKey`] unless there is
    /// exactly one.
    pub fn find_by_label(&self, label: &str) -> Result<Pkcs11Locator, Pkcs11Error> {
        let token = self.token()?;
        let session = token.session()?;
        let objects = Objects { token: &token, session: &session };
        let found = objects.public_labelled(label)?;
        let public = objects.exactly_one(&found, || format!("labelled {label:?}"))?;
        Ok(locator(&token, objects.id(public)?, label))
    }

    /// Finds the public key that a URI means, without a PIN. The token must
    /// also be the configured one.
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error::NoKey`] or [`Pkcs11Error::AmbiguousKey`] unless there is
    /// exactly one.
    pub fn locate(&self, uri: &Pkcs11Uri) -> Result<Pkcs11Locator, Pkcs11Error> {
        let token = Token::select(&self.module, &self.wanted().and_uri(uri))?;
        let session = token.session()?;
        let objects = Objects { token: &token, session: &session };
        let found = objects.public_of(uri)?;
        let public = objects.exactly_one(&found, || format!("that {uri} means"))?;
        Ok(locator(&token, objects.id(public)?, &objects.label(public)?))
    }

    /// Looks for the key of a DID on every token of the module that a URI
    /// means, without a PIN: on a token that was restored, cloned or replaced.
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error::NotFound`] or [`Pkcs11Error::FoundTwice`].
    pub fn search(module: &Path, did: &Did, uri: &Pkcs11Uri) -> Result<Pkcs11Locator, Pkcs11Error> {
        let tokens = token::present(&Module::open(module)?)?;
        let wanted = Wanted::from_uri(uri);
        let (mut found, mut searched) = (Vec::new(), Vec::new());
        for token in tokens.iter().filter(|token| wanted.matches(token)) {
            searched.push(token.full_name());
            let session = token.session()?;
            let objects = Objects { token, session: &session };
            for public in objects.public_of(uri)? {
                // A key in an unknown encoding is none of ours.
                if let Ok(Some(key)) = objects.point(public)
                    && key == *did.verifying_key()
                {
                    found.push(locator(token, objects.id(public)?, &objects.label(public)?));
                }
            }
        }
        match (found.pop(), found.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => Err(Pkcs11Error::NotFound { did: did.clone(), tokens: searched }),
            (Some(last), false) => {
                found.push(last);
                let candidates = found.iter().map(ToString::to_string).collect();
                Err(Pkcs11Error::FoundTwice { did: did.clone(), candidates })
            }
        }
    }

    /// The public key of a pair, without a PIN.
    ///
    /// # Errors
    ///
    /// If there is not exactly one, or it cannot be read.
    pub fn public_key(&self, locator: &Pkcs11Locator) -> Result<VerifyingKey, Pkcs11Error> {
        let wanted = self.wanted().narrowed_to(locator, &self.module)?;
        let token = Token::select(&self.module, &wanted)?;
        let session = token.session()?;
        let objects = Objects { token: &token, session: &session };
        let name = || with_id(&locator.id);
        let public = objects.exactly_one(&objects.public(&locator.id)?, name)?;
        objects.point(public)?.ok_or_else(|| Pkcs11Error::PublicKey {
            token: token.name(),
            reason: format!("the public key {} shows no CKA_EC_POINT", name()),
        })
    }
}
