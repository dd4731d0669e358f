//! Removing what a probe has made.

use super::super::object::Objects;
use super::super::template;
use super::super::token::Token;
use crate::encoding::hex;
use crate::error::{DeviceError, Error, Pkcs11Error};

/// `CKA_LABEL` of whatever a probe makes.
pub(super) const LABEL: &str = "icn-identity probe";

/// Does work with objects of one new id, and removes them whatever comes of it.
pub(super) fn cleaned<T>(
    objects: Objects<'_>,
    work: impl FnOnce(&[u8]) -> Result<T, Error>,
) -> Result<T, Error> {
    let id = template::random_id(&objects.token.name())?;
    let done = work(&id);
    // They may go with the session; not every module is known to do so. And this
    // session may be the one that was lost, or have an operation pending.
    let remove = |objects: Objects<'_>| {
        objects.remove(&id).and_then(|()| objects.remove_labelled(&id, LABEL))
    };
    match remove(objects).or_else(|_| objects.afresh(&id, remove)) {
        Ok(()) => done.map_err(|error| match error {
            // It has another id.
            Error::Device(DeviceError::Pkcs11(Pkcs11Error::LeftBehind {
                token,
                id,
                source,
                ..
            })) => {
                let ids = id.split(", ").map(str::to_owned).collect();
                DeviceError::from(Pkcs11Error::ProbeLeft { token, ids, source }).into()
            }
            error => error,
        }),
        Err(left) => Err(left_behind(objects.token, &id, left, done.err())),
    }
}

/// Names what could not be removed, and why it was not or what went wrong before.
fn left_behind(token: &Token, id: &[u8], left: Pkcs11Error, before: Option<Error>) -> Error {
    let (mut ids, source): (_, Box<dyn std::error::Error + Send + Sync>) = match before {
        Some(Error::Device(DeviceError::Pkcs11(Pkcs11Error::ProbeLeft {
            ids, source, ..
        }))) => (ids, source),
        Some(error) => (Vec::new(), error.into()),
        None => (Vec::new(), left.into()),
    };
    ids.push(hex::encode(id));
    DeviceError::from(Pkcs11Error::ProbeLeft { token: token.name(), ids, source }).into()
}
