//! After an import both identities have one DID, and peers who have seen a later epoch of it refuse
//! every older certificate, whichever of both it is of: so the one that stays joins that epoch.

use super::operator::Operator;
use crate::bundle::check_clock;
use crate::error::Error;
use crate::home::{CredentialSource, Home, Wants};
use crate::keystore::IdentityStore;

/// The epoch that was begun with an identity that is given up, if it is later than that of the one
/// of the same DID that stays.
pub(super) fn later(stays: &IdentityStore, of: &IdentityStore) -> Option<u64> {
    let header = |store: &IdentityStore| store.header_alone().ok().flatten();
    let (stays, of) = (header(stays)?, header(of)?);
    if stays.did() != of.did() {
        return None;
    }
    let present = stays.binding().map_or(0, |binding| binding.epoch());
    of.binding().map(|binding| binding.epoch()).filter(|epoch| *epoch > present)
}

/// Before anything is changed: that the one that stays can join it.
pub(super) fn check(stays: &IdentityStore, of: &IdentityStore) -> Result<(), Error> {
    match later(stays, of) {
        Some(_) => Ok(check_clock()?),
        None => Ok(()),
    }
}

/// The identity that stays joins the epoch, if there is a later one: which one.
pub(super) fn carry(
    stays: &Home,
    of: &IdentityStore,
    operator: &mut dyn Operator,
    credential: fn(&mut dyn Operator, &Wants) -> CredentialSource<'static>,
) -> Result<Option<u64>, Error> {
    let Some(epoch) = later(stays.store(), of) else { return Ok(None) };
    let identity = stays.locate()?;
    let source = credential(operator, &identity.wants());
    identity
        .ask(source)?
        .with(|located, credentials| located.join_epoch_of_move(credentials, epoch).map(drop))?;
    Ok(Some(epoch))
}
