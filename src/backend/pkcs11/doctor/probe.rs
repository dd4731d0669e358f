//! What a token really does, tried out with keys that go with their session.

use std::fmt;

use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use serde::{Serialize, Serializer};

use super::super::connection::{LoginGuard, Policy};
use super::super::keygen::{Generated, Lifetime};
use super::super::module::Module;
use super::super::object::Objects;
use super::super::scheme::{self, Scheme};
use super::super::token::{Token, Wanted};
use super::super::{point, template};
use super::measure::{self, Latency};
use crate::algorithm::AlgorithmId;
use crate::config::Pkcs11Config;
use crate::error::{Error, Pkcs11Error};
use crate::evidence::{Exposable, Pkcs11Attributes, ProvenanceKind, Trust};
use crate::secret::Pin;

/// What a probe measured.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ProbeReport {
    /// The algorithm of the keys: P-256 only where a token has no Ed25519.
    pub algorithm: AlgorithmId,
    /// The form of `CKA_EC_PARAMS` that the token takes, first of those tried.
    pub curve: &'static str,
    /// The attributes that it takes when a key is made.
    pub template: &'static str,
    /// The encoding of `CKA_EC_POINT`.
    pub point: &'static str,
    /// Whether every signature verified.
    pub signatures_verify: bool,
    /// How long signatures take.
    pub latency: Latency,
    /// How many times as much two threads sign as one. `None` if it could not
    /// be measured.
    pub two_thread_scaling: Option<f64>,
    /// How many sessions can be open. `None` if more than 64.
    pub session_limit: Option<usize>,
    /// What the token says of keys whose origin is known.
    pub evidence: Honesty,
}

/// What a token says of keys whose origin is known, since the probe made them.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Honesty {
    /// Of a key that was generated as sensitive and not extractable. `hardware`
    /// if the token shows all of it.
    pub born_inside: Told,
    /// Of a key that was written into the token. Anything but `hardware`.
    pub written_in: Told,
    /// Of a key that was generated as extractable, then made unextractable.
    /// Anything but `hardware`.
    pub once_extractable: Told,
}

/// What a token says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Told {
    /// Its attributes show this provenance.
    Shows(ProvenanceKind),
    /// It would hand the key out, so the key is refused.
    Exposable(Exposable),
    /// It makes no such key.
    Refuses,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shows(provenance) => provenance.as_str(),
            Self::Exposable(Exposable::Extractable) => "refused: extractable",
            Self::Exposable(Exposable::NotSensitive) => "refused: not sensitive",
            Self::Exposable(Exposable::Duplicable) => "refused: can be duplicated",
            Self::Refuses => "refused by the token",
        })
    }
}

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Honesty {
    /// Whether the token claims for no key what is not true of it.
    #[must_use]
    pub fn is_honest(&self) -> bool {
        [self.written_in, self.once_extractable]
            .iter()
            .all(|told| *told != Told::Shows(ProvenanceKind::Hardware))
    }

    pub(super) fn in_words(&self) -> String {
        let Self { born_inside, written_in, once_extractable } = self;
        format!(
            "born inside: {born_inside}; written in: {written_in}; once extractable: {once_extractable}"
        )
    }
}

/// Tries a token out: logs in once, makes keys that are gone with their
/// session, signs a few hundred times.
///
/// # Errors
///
/// If the token is not there, refuses the PIN, or makes no such keys.
pub fn probe(config: &Pkcs11Config, pin: &Pin) -> Result<ProbeReport, Error> {
    let module = Module::open(&config.module)?;
    let token = Token::select(&module, &Wanted::from_config(config))?;
    let scheme = preferred(&token)?;
    let _login = LoginGuard::enter(&token, pin, Policy::of(config))?;
    let session = token.session()?;
    let objects = Objects { token: &token, session: &session };

    let id = template::random_id(&token.name())?;
    let made = objects.generate_pair(scheme, &id, "icn-identity probe", Lifetime::Session)?;
    let measured = measured(objects, scheme, &made);
    // They would go with the session; not every module is known to do so.
    let removed = objects.remove(&id);
    let report = measured?;
    removed?;
    Ok(report)
}

/// Ed25519; or P-256 where that is all there is.
fn preferred(token: &Token) -> Result<&'static Scheme, Pkcs11Error> {
    let [first, others @ ..] = scheme::ALL;
    first.needs_to_make(token).map(|()| first).or_else(|error| {
        let other = others.into_iter().find(|other| other.needs_to_make(token).is_ok());
        other.ok_or(error)
    })
}

fn measured(objects: Objects<'_>, scheme: &Scheme, made: &Generated) -> Result<ProbeReport, Error> {
    let no_point = |reason: String| Pkcs11Error::PublicKey { token: objects.token.name(), reason };
    let encoded = match objects.read(made.public, AttributeType::EcPoint)? {
        Some(encoded) => encoded,
        None => return Err(no_point("it shows no CKA_EC_POINT".into()).into()),
    };
    let public = point::decode(scheme.algorithm, &encoded).map_err(no_point)?;
    let (latency, signatures_verify) = measure::latency(objects, made.private, &public)?;
    Ok(ProbeReport {
        algorithm: scheme.algorithm,
        curve: made.curve,
        template: made.template,
        point: point::form(&encoded),
        signatures_verify,
        latency,
        two_thread_scaling: measure::scaling(objects.token, scheme.algorithm, made.private),
        session_limit: measure::session_limit(objects.token)?,
        evidence: Honesty {
            born_inside: judged(objects, objects.evidence(made.private)?),
            written_in: written_in(objects, scheme)?,
            once_extractable: once_extractable(objects, scheme)?,
        },
    })
}

fn judged(objects: Objects<'_>, attributes: Pkcs11Attributes) -> Told {
    objects
        .token
        .judge(attributes, Trust::default())
        .map_or_else(Told::Exposable, |evidence| Told::Shows(evidence.provenance()))
}

/// A key of random bytes, made here and thrown away.
fn written_in(objects: Objects<'_>, scheme: &Scheme) -> Result<Told, Error> {
    let id = template::random_id(&objects.token.name())?;
    let mut seed = zeroize::Zeroizing::new([0_u8; 32]);
    crate::secret::fill_random(seed.as_mut_slice())?;
    let mut key = template::confined(&id, "icn-identity probe");
    key.extend([
        Attribute::Token(false),
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(scheme.key_type),
        Attribute::Sign(true),
        Attribute::EcParams(scheme.oid().to_vec()),
        Attribute::Value(seed.to_vec()),
    ]);
    let told = match objects.session.create_object(&key) {
        Ok(key) => objects.evidence(key).map(|told| judged(objects, told)),
        Err(_) => Ok(Told::Refuses),
    };
    // Even a refused object may be left behind.
    objects.remove(&id)?;
    Ok(told?)
}

/// A key that could have been read out before it was closed.
fn once_extractable(objects: Objects<'_>, scheme: &Scheme) -> Result<Told, Error> {
    let id = template::random_id(&objects.token.name())?;
    let public = [
        Attribute::Token(false),
        Attribute::Verify(true),
        Attribute::Id(id.clone()),
        Attribute::EcParams(scheme.oid().to_vec()),
    ];
    let private = [
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sign(true),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
        Attribute::Id(id.clone()),
    ];
    let told = match objects.session.generate_key_pair(&scheme.generation(), &public, &private) {
        Ok((_, key)) => {
            let closed = [Attribute::Sensitive(true), Attribute::Extractable(false)];
            match objects.session.update_attributes(key, &closed) {
                Ok(()) => objects.evidence(key).map(|told| judged(objects, told)),
                Err(_) => Ok(Told::Refuses),
            }
        }
        Err(_) => Ok(Told::Refuses),
    };
    objects.remove(&id)?;
    Ok(told?)
}
