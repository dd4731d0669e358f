//! The private half of a pair, whose public one is not on the token: which it is, by its
//! names. Whether it is the one that is meant shows only what it signs.

use cryptoki::object::ObjectHandle;

use super::locator;
use super::object::{Objects, with_id};
use crate::backend::{Pkcs11Locator, Pkcs11Uri};
use crate::error::Pkcs11Error;

/// # Errors
///
/// If a private key has the names of the one that was at a locator, and no public key beside
/// it: [`Pkcs11Error::NoPublicKey`] where it was, [`Pkcs11Error::HalfElsewhere`] in another
/// place. Within a login.
pub(super) fn must_not_be_half(
    objects: Objects<'_>,
    before: &Pkcs11Locator,
    uri: &Pkcs11Uri,
) -> Result<(), Pkcs11Error> {
    let Some(half) = half_of(objects, before, uri)? else { return Ok(()) };
    if !objects.pair(&half.id)?.public.is_empty() {
        return Ok(());
    }
    let (token, key) = (objects.token.name(), with_id(&half.id));
    let place = |locator: &Pkcs11Locator| {
        (locator.token.clone(), locator.serial.clone(), locator.id.clone())
    };
    Err(match place(&half) == place(before) {
        true => Pkcs11Error::NoPublicKey { token, key, of_identity: true },
        false => Pkcs11Error::HalfElsewhere { token, key, uri: half.to_string() },
    })
}

/// The private key that a URI names; if it names none, the one with the id of the key that
/// was at a locator, else with its label.
pub(super) fn half_of(
    objects: Objects<'_>,
    before: &Pkcs11Locator,
    uri: &Pkcs11Uri,
) -> Result<Option<Pkcs11Locator>, Pkcs11Error> {
    let private = objects.private_of(uri)?;
    if uri.names_a_key() {
        let private = objects.at_most_one(&private, || format!("that {uri} means"))?;
        return private.map(|private| place(objects, private)).transpose();
    }
    let places: Vec<_> =
        private.into_iter().map(|private| place(objects, private)).collect::<Result<_, _>>()?;
    let by_id = places.iter().find(|place| place.id == before.id);
    let mut labelled =
        places.iter().filter(|place| !before.label.is_empty() && place.label == before.label);
    // Of several nobody knows which.
    let by_label = labelled.next().filter(|_| labelled.next().is_none());
    Ok(by_id.or(by_label).cloned())
}

fn place(objects: Objects<'_>, private: ObjectHandle) -> Result<Pkcs11Locator, Pkcs11Error> {
    Ok(locator(objects.token, objects.id(private)?, &objects.label(private)?))
}
