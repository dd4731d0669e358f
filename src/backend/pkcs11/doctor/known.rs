//! The identity's own key: whether it is there, and whether the token claims more of it
//! than it did.

use std::sync::Arc;

use serde::Serialize;

use super::super::finding::{meant, shown_at};
use super::super::object::Objects;
use super::super::place::Place;
use super::super::token::Token;
use super::advice::{IDENTITYS_KEY, NAMED_KEY, advice, failed, remedy, unseen};
use super::options::KnownKey;
use crate::backend::doctor::{Outcome, Remedy, Verdict, verdict};
use crate::backend::pkcs11::Pkcs11Backend;
use crate::backend::{Backend as _, Credentials, KeyAtRest, Locator, Pkcs11Uri, StorageVault as _};
use crate::config::Pkcs11Config;
use crate::did::{Did, DidMethod};
use crate::error::{DeviceError, Error, in_full};
use crate::evidence::{Attribute, Fact, HISTORY, ProvenanceKind, Word};
use crate::key::DidKey;
use crate::secret::Pin;
use crate::signer::DidSignerExt as _;

/// What came of opening a key that is there.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct KnownKeyReport {
    /// Whose it is. `None` where it was not found.
    pub did: Option<Did>,
    /// Whether it is that of an identity, of which it was written down what was said.
    pub is_identitys: bool,
    /// Its provenance, by what the token says now and the configuration trusts. It has
    /// signed a challenge then.
    pub provenance: Option<ProvenanceKind>,
    /// What the token says now and did not say then.
    pub more_than_before: Vec<Claim>,
    /// Why it did not open.
    pub problem: Option<String>,
    /// What to do then.
    pub advice: Option<String>,
    /// What does as the advice says, where that is one thing.
    #[serde(skip)]
    pub remedy: Option<Remedy>,
    /// Whether the token opens the storage key of its identity; why not.
    pub storage_key: Option<Opens>,
}

/// Whether the token opens a storage key that it keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "said")]
#[non_exhaustive]
pub enum Opens {
    /// It does.
    Yes,
    /// It does not, and so does not open the identity.
    No(String),
}

/// An attribute that was not true of a key before, and is claimed now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Claim {
    /// `local`, `always_sensitive` or `never_extractable`.
    pub name: &'static str,
    /// The answer then.
    pub before: Fact,
    /// Whose word that was. If nobody's, it says nothing against the claim.
    pub word: Word,
}

impl KnownKey {
    const fn requirement(&self) -> &'static str {
        if self.earlier.is_some() { IDENTITYS_KEY } else { NAMED_KEY }
    }

    /// **Blocks** on the device. Looks whether the key is on its token, without a
    /// PIN.
    #[must_use]
    pub fn look(&self, config: &Pkcs11Config) -> Verdict {
        let requirement = self.requirement();
        let found = backend(config).and_then(|backend| self.find(&backend));
        let shown = found.map(|found| match found {
            KeyAtRest::Device(key) => (key.is_shown(), key.check_shown().err().map(Error::from)),
            KeyAtRest::Software(_) => (false, None),
        });
        match shown {
            Ok((true, _)) => verdict(
                requirement,
                Outcome::Ok,
                "the token shows its public key; the private key was not looked for",
                "",
            ),
            Ok((_, None)) => unseen(requirement),
            Ok((_, Some(error))) if self.cannot_be_shown_again(config) => verdict(
                requirement,
                Outcome::Fail,
                in_full(&error),
                "this token takes no public key back: if it is the identity's, have it recorded that \
                 it does not show the key",
            )
            .remedied_by(Remedy::RecordNotShown { uri: self.locator.token_uri() }),
            Ok((_, Some(error))) => match self.others_are_shown(config) {
                Ok(false) => failed(requirement, &error),
                Ok(true) => verdict(
                    requirement,
                    Outcome::Fail,
                    "the token shows public keys without a login, and not this one: it was \
                     deleted, or the key is gone",
                    "find the token that has the key; if this one has the private key, write the \
                     public key back",
                )
                .remedied_by(Remedy::WritePublicKey),
                Err(error) => failed(requirement, &error),
            },
            Err(error) => failed(requirement, &error),
        }
    }

    fn cannot_be_shown_again(&self, config: &Pkcs11Config) -> bool {
        let device = backend(config).ok().and_then(|backend| backend.describe().device);
        device.is_some_and(|token| token.takes_no_public_key())
    }

    fn others_are_shown(&self, config: &Pkcs11Config) -> Result<bool, Error> {
        let shows = backend(config)?.shows_other_public_keys(&self.locator);
        Ok(shows.map_err(DeviceError::from)?)
    }

    /// Where it is: its public key is compared there before a PIN is sent.
    pub(super) fn place(&self, config: &Pkcs11Config) -> Result<Arc<Place>, Error> {
        Ok(backend(config)?.place(&self.locator, &self.did).map_err(DeviceError::from)?)
    }

    fn find(&self, backend: &Pkcs11Backend) -> Result<KeyAtRest, Error> {
        backend.find(&Locator::Pkcs11(self.locator.clone()), &self.did)
    }

    /// Opens the key within the login that there is, which has it sign a challenge.
    ///
    /// # Errors
    ///
    /// What is no matter of the key: a wrong PIN.
    pub(super) fn open(&self, config: &Pkcs11Config, pin: &Pin) -> Result<KnownKeyReport, Error> {
        // What the token claims, whatever the operator believes of it.
        let backend = backend(&config.clone().with_trust_key_history(true))?;
        let opened = match self.find(&backend) {
            Ok(KeyAtRest::Device(key)) => key.unseal(pin).map_err(Error::from),
            Ok(_) => Err(DeviceError::ForeignLocator { backend: backend.kind() }.into()),
            Err(error) => Err(error),
        };
        match opened {
            // The storage key is had while a key of its token is open.
            Ok(key) => Ok(KnownKeyReport {
                storage_key: self.opened(&backend, pin),
                ..self.compared(&key, config)
            }),
            Err(error) if error.is_wrong_pin() => Err(error),
            Err(error) => Ok(KnownKeyReport {
                problem: Some(in_full(&error)),
                advice: Some(advice(&error, self.requirement())),
                remedy: remedy(&error, self.requirement()),
                ..self.report()
            }),
        }
    }

    fn report(&self) -> KnownKeyReport {
        KnownKeyReport {
            did: Some(self.did.clone()),
            is_identitys: self.earlier.is_some(),
            provenance: None,
            more_than_before: Vec::new(),
            problem: None,
            advice: None,
            remedy: None,
            storage_key: None,
        }
    }

    fn opened(&self, backend: &Pkcs11Backend, pin: &Pin) -> Option<Opens> {
        let credentials = Credentials::pin(pin.clone());
        let opened = backend.unwrap(&self.did, self.storage_key.as_ref()?, &credentials);
        Some(opened.map_or_else(|error| Opens::No(in_full(&error)), |_| Opens::Yes))
    }

    fn compared(&self, key: &DidKey, config: &Pkcs11Config) -> KnownKeyReport {
        let facts = key.evidence().into_iter().flat_map(|evidence| evidence.facts());
        let more_than_before = facts.filter_map(|now| self.claimed_anew(&now, config)).collect();
        // As it opens here: a history that is not trusted is none.
        let provenance = match key.provenance() {
            ProvenanceKind::Hardware if !config.trust_key_history => ProvenanceKind::DeviceHeld,
            provenance => provenance,
        };
        KnownKeyReport { provenance: Some(provenance), more_than_before, ..self.report() }
    }

    /// What was nobody's word then cannot be compared, and is told where it counts now.
    fn claimed_anew(&self, now: &Attribute, config: &Pkcs11Config) -> Option<Claim> {
        let (before, word) = *self.earlier.as_ref()?.get(now.name)?;
        let counts = word != Word::Nobody || config.trust_key_history;
        let is_new = now.fact == Fact::True && before != Fact::True;
        let is_told = HISTORY.contains(&now.name) && counts && is_new;
        is_told.then_some(Claim { name: now.name, before, word })
    }
}

/// Opens, within the login that there is, the key that a URI means, which has it sign a
/// challenge.
///
/// # Errors
///
/// What is no matter of the key: a wrong PIN.
pub(super) fn opened_hidden(
    token: &Token,
    uri: &Pkcs11Uri,
    config: &Pkcs11Config,
    pin: &Pin,
) -> Result<KnownKeyReport, Error> {
    let session = token.session()?;
    let objects = Objects { token, session: &session };
    let found = meant(objects, uri)
        .and_then(|locator| shown_at(objects, &locator).map(|public| (locator, public)));
    drop(session);
    match found {
        Ok((locator, public)) => {
            let did = Did::fitting(DidMethod::Icn, &public);
            KnownKey::new(locator, did).open(config, pin)
        }
        Err(error) => Ok(KnownKeyReport {
            did: None,
            is_identitys: false,
            provenance: None,
            more_than_before: Vec::new(),
            problem: Some(in_full(&error)),
            advice: Some(advice(&error.into(), NAMED_KEY)),
            remedy: None,
            storage_key: None,
        }),
    }
}

fn backend(config: &Pkcs11Config) -> Result<Pkcs11Backend, Error> {
    Ok(Pkcs11Backend::open(config).map_err(DeviceError::from)?)
}
