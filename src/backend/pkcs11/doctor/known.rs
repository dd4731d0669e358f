//! The identity's own key: whether it is there, and whether the token claims more of it
//! than it did.

use std::sync::Arc;

use serde::Serialize;

use super::super::finding::{meant, shown_at};
use super::super::object::Objects;
use super::super::place::Place;
use super::super::token::Token;
use super::options::KnownKey;
use super::{ModuleReport, in_full};
use crate::backend::doctor::{Outcome, Remedy, Verdict, verdict};
use crate::backend::pkcs11::Pkcs11Backend;
use crate::backend::{Backend as _, Credentials, KeyAtRest, Locator, Pkcs11Uri, StorageVault as _};
use crate::config::Pkcs11Config;
use crate::did::{Did, DidMethod};
use crate::error::{DeviceError, Error, OpenError, Pkcs11Error};
use crate::evidence::{Attribute, Fact, HISTORY, ProvenanceKind, Word};
use crate::key::DidKey;
use crate::secret::Pin;
use crate::signer::DidSignerExt as _;

const IDENTITYS_KEY: &str = "the identity's key";
const IDENTITYS_STORAGE: &str = "the identity's storage key";
const NAMED_KEY: &str = "the key that is there";

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
    /// The token has the private key, and not its public key.
    pub lacks_public_key: bool,
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
                lacks_public_key: matches!(
                    error.device(),
                    Some(DeviceError::Pkcs11(Pkcs11Error::NoPublicKey { .. }))
                ),
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
            lacks_public_key: false,
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

/// Of a key that its token may show within a login only.
#[must_use]
pub fn hidden() -> Verdict {
    unseen(NAMED_KEY)
}

fn unseen(requirement: &'static str) -> Verdict {
    verdict(
        requirement,
        Outcome::Warning,
        "the token does not show it without a login, so it was not seen",
        "a probe opens it",
    )
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
            lacks_public_key: false,
            storage_key: None,
        }),
    }
}

fn backend(config: &Pkcs11Config) -> Result<Pkcs11Backend, Error> {
    Ok(Pkcs11Backend::open(config).map_err(DeviceError::from)?)
}

impl KnownKeyReport {
    /// Whether the token claims of it what its history does not allow: a no has become
    /// a yes, or it is `hardware` now and was not.
    #[must_use]
    pub fn is_claimed_too_much(&self) -> bool {
        let hardware = self.provenance == Some(ProvenanceKind::Hardware);
        let mut said = self.more_than_before.iter().filter(|claim| claim.word != Word::Nobody);
        said.any(|claim| claim.before == Fact::False || hardware)
    }

    pub(super) fn verdict(&self) -> Verdict {
        let requirement = if self.is_identitys { IDENTITYS_KEY } else { NAMED_KEY };
        let Some(provenance) = self.provenance else {
            let problem = self.problem.clone().unwrap_or_default();
            if self.lacks_public_key && self.is_identitys {
                let advice = "write the public key back, which the header knows";
                return verdict(requirement, Outcome::Fail, problem, advice)
                    .remedied_by(Remedy::WritePublicKey);
            }
            return verdict(
                requirement,
                Outcome::Fail,
                problem,
                "see whether it is the right token",
            );
        };
        let claims: Vec<_> = self
            .more_than_before
            .iter()
            .map(|claim| format!("{} (was {})", claim.name, claim.before))
            .collect();
        let claims = claims.join(", ");
        if self.is_claimed_too_much() {
            return verdict(
                requirement,
                Outcome::Fail,
                format!(
                    "it signs, and the token claims more of it than it did: {provenance} by {claims}"
                ),
                "nothing that happens to a key makes these true: find out what has changed, the \
                 token, its module or what stands between; the identity stays as it was written",
            );
        }
        if !claims.is_empty() {
            return verdict(
                requirement,
                Outcome::Warning,
                format!("it signs; the token says more of it than it did: {claims}; {provenance}"),
                "see whether module, firmware or configuration were changed",
            );
        }
        verdict(requirement, Outcome::Ok, format!("it signs; {provenance}"), "")
    }

    pub(super) fn storage_verdict(&self) -> Option<Verdict> {
        Some(match self.storage_key.as_ref()? {
            Opens::Yes => verdict(IDENTITYS_STORAGE, Outcome::Ok, "the token opens it", ""),
            Opens::No(said) => verdict(
                IDENTITYS_STORAGE,
                Outcome::Fail,
                said,
                "without it the token opens the key and not the identity: restore it from a backup",
            ),
        })
    }
}

impl ModuleReport {
    /// Whether the selected token shows the key of a DID, of which nothing else is known.
    #[must_use]
    pub fn shows_key_of(&self, did: &Did) -> Verdict {
        let keys = self.selected().map(|token| &token.keys);
        let shown = keys.is_some_and(|keys| keys.iter().any(|key| key.did.as_ref() == Some(did)));
        if shown {
            let seen = "the token shows its public key; the private key was not looked for";
            return verdict(IDENTITYS_KEY, Outcome::Ok, seen, "");
        }
        if self.selected().is_some_and(|token| !token.shows_public_keys) {
            return verdict(
                IDENTITYS_KEY,
                Outcome::Warning,
                format!(
                    "the token shows no public key without a login, so that of {did} was not seen"
                ),
                "the identity's files say where it is: restore them",
            );
        }
        verdict(
            IDENTITYS_KEY,
            Outcome::Fail,
            format!("the token does not show the key of {did}, which the configuration pins"),
            "find the token that has it",
        )
    }
}

/// That an attempt to make an identity was cut off, and has left objects.
#[must_use]
pub fn unfinished(objects: &str) -> Verdict {
    verdict(
        "nothing is unfinished",
        Outcome::Warning,
        format!("an identity that was begun may have left objects on {objects}"),
        "make the identity again with that token: what is left there is removed first",
    )
}

fn failed(requirement: &'static str, error: &Error) -> Verdict {
    let failed = verdict(requirement, Outcome::Fail, in_full(error), &advice(error));
    match remedy(error) {
        Some(remedy) => failed.remedied_by(remedy),
        None => failed,
    }
}

/// What does as the advice says, which then names nothing that does it.
fn remedy(error: &Error) -> Option<Remedy> {
    match error.device() {
        Some(DeviceError::Pkcs11(
            Pkcs11Error::NotConfiguredToken { .. }
            | Pkcs11Error::NotConfiguredKey { .. }
            | Pkcs11Error::NoToken { renamed: Some(_), .. },
        )) => Some(Remedy::Relocate),
        _ => None,
    }
}

fn advice(error: &Error) -> String {
    match error {
        Error::Device(DeviceError::Pkcs11(
            Pkcs11Error::OtherKind { .. } | Pkcs11Error::PublicKey { .. },
        )) => {
            "something else has the id of the key: find the token that has the key, or restore it"
                .into()
        }
        Error::Device(DeviceError::Pkcs11(Pkcs11Error::NoKey { .. })) => {
            "the key is gone from this token: find the token that has it, or restore it".into()
        }
        Error::Device(DeviceError::Pkcs11(
            Pkcs11Error::NoToken { renamed: Some(label), .. }
            | Pkcs11Error::NotConfiguredToken { renamed: Some(label), .. },
        )) => format!(
            "leave the token as it is: it is labelled {label:?} now. Record where the key is"
        ),
        Error::Device(DeviceError::Pkcs11(
            Pkcs11Error::NotConfiguredToken { .. } | Pkcs11Error::NotConfiguredKey { .. },
        )) => "correct `token`, `serial` or `key` under [identity.pkcs11]; if the key has moved, \
               record where it is"
            .into(),
        Error::Open(OpenError::Device(DeviceError::Pkcs11(Pkcs11Error::KeyNotShown {
            ..
        }))) => {
            "find out whether it is another token with the same label and serial number; if it is \
             yours and its public key was deleted, write that back"
                .into()
        }
        error => error.help().unwrap_or_else(|| "see whether it is the right token".into()),
    }
}
