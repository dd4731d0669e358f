//! What a token says of keys whose origin is known.

use std::fmt;

use cryptoki::object::{Attribute, ObjectClass};
use serde::{Serialize, Serializer};

use super::super::keygen::Lifetime;
use super::super::object::Objects;
use super::super::scheme::Scheme;
use super::super::template;
use super::cleaning::{LABEL, cleaned};
use crate::error::Error;
use crate::evidence::{Exposable, Pkcs11Attributes, ProvenanceKind, Trust};

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
    /// Whether the token claims for no key what is not true of it. Of these keys: a
    /// token that lies about another one alone is not found out so.
    #[must_use]
    pub fn is_honest(&self) -> bool {
        [self.written_in, self.once_extractable]
            .iter()
            .all(|told| *told != Told::Shows(ProvenanceKind::Hardware))
    }

    /// Whether it has let the probe make keys of which it could have lied.
    #[must_use]
    pub fn is_tried(&self) -> bool {
        [self.written_in, self.once_extractable].iter().any(|told| *told != Told::Refuses)
    }

    pub(super) fn in_words(&self) -> String {
        let Self { born_inside, written_in, once_extractable } = self;
        format!(
            "born inside: {born_inside}; written in: {written_in}; once extractable: \
             {once_extractable}; said of the probe's keys: a lie about one other key is not seen"
        )
    }
}

pub(super) fn judged(objects: Objects<'_>, attributes: Pkcs11Attributes) -> Told {
    objects
        .token
        .judge(attributes, Trust::default())
        .map_or_else(Told::Exposable, |evidence| Told::Shows(evidence.provenance()))
}

/// A key of random bytes, made here and thrown away.
pub(super) fn written_in(
    objects: Objects<'_>,
    scheme: &Scheme,
    lifetime: Lifetime,
) -> Result<Told, Error> {
    let mut seed = zeroize::Zeroizing::new([0_u8; 32]);
    crate::secret::fill_random(seed.as_mut_slice())?;
    cleaned(objects, |id| {
        let mut key = template::confined(id, LABEL);
        key.extend([
            lifetime.of_new(),
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(scheme.key_type),
            Attribute::Sign(true),
            Attribute::EcParams(scheme.oid().to_vec()),
            Attribute::Value(seed.to_vec()),
        ]);
        // Even a refused object may be left behind.
        match objects.session.create_object(&key) {
            Ok(key) => Ok(judged(objects, objects.evidence(key)?)),
            Err(_) => Ok(Told::Refuses),
        }
    })
}

/// A key that could have been read out before it was closed.
pub(super) fn once_extractable(
    objects: Objects<'_>,
    scheme: &Scheme,
    lifetime: Lifetime,
) -> Result<Told, Error> {
    cleaned(objects, |id| {
        let public = [
            lifetime.of_new(),
            Attribute::Verify(true),
            Attribute::Id(id.to_owned()),
            Attribute::Label(LABEL.into()),
            Attribute::EcParams(scheme.oid().to_vec()),
        ];
        let private = [
            lifetime.of_new(),
            Attribute::Private(true),
            Attribute::Sign(true),
            Attribute::Sensitive(false),
            Attribute::Extractable(true),
            Attribute::Id(id.to_owned()),
            Attribute::Label(LABEL.into()),
        ];
        let made = objects.session.generate_key_pair(&scheme.generation(), &public, &private);
        let Ok((_, key)) = made else { return Ok(Told::Refuses) };
        let closed = [Attribute::Sensitive(true), Attribute::Extractable(false)];
        match objects.session.update_attributes(key, &closed) {
            Ok(()) => Ok(judged(objects, objects.evidence(key)?)),
            Err(_) => Ok(Told::Refuses),
        }
    })
}
