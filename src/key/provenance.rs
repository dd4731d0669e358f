//! How a private key came to be and where it can be.

use std::convert::Infallible;

use super::device::{OpenedMaterial, SealedMaterial};
use super::external::ExternalMaterial;
use super::software::{LockedMaterial, UnlockedMaterial};
use super::{Locked, Public, Sealed, State, Unlocked};
use crate::algorithm::{Algorithm, Ed25519, Signature};
use crate::error::SignError;
use crate::private::{Closed, SignWith, Store, Token};

pub(super) use super::state::name;

/// Whether a key of this provenance can be in state `S` at all.
///
/// # Sealed
///
/// The pairs that exist are in the table of [`crate::key`]. An impossible
/// pair, like `Key<Hardware, Locked>`, cannot even be named.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` key has no `{S}` state",
    label = "no such key exists",
    note = "`Software` keys are `Locked` or `Unlocked`; `TpmSealed`, `DeviceHeld` and `Hardware` \
            keys are `Sealed` or `Unlocked`; `External` keys are `Unlocked`"
)]
pub trait Holds<S: State, A: Algorithm = Ed25519>: Store<S, A> {}

/// A provenance whose unlocked keys sign: the one bound for generic code.
///
/// # Sealed
///
/// Implemented by the five markers of this module.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a provenance of keys of this algorithm",
    label = "expected `Software`, `TpmSealed`, `DeviceHeld`, `Hardware` or `External`",
    note = "a signer written elsewhere joins by `Key::<External, Unlocked>::from_external`"
)]
pub trait Provenance<A: Algorithm = Ed25519>: Holds<Unlocked, A> + SignWith<A> {}

/// The private key is in process memory, and can be read on request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Software {}

/// The private key was made in software and is sealed to one TPM at rest.
/// **While unlocked it is in this process' (locked) memory**; no method gives
/// it out. No backend of this version makes such keys yet.
#[derive(Debug)]
#[non_exhaustive]
pub enum TpmSealed {}

/// The private key is held by a device now, but is not shown to be born there:
/// it was imported, or the device does not say. There may be copies.
#[derive(Debug)]
#[non_exhaustive]
pub enum DeviceHeld {}

/// The private key was born behind the device's interface and never left it,
/// **by everything the device says**.
#[derive(Debug)]
#[non_exhaustive]
pub enum Hardware {}

/// The private key is behind a signer written outside this crate.
#[derive(Debug)]
#[non_exhaustive]
pub enum External {}

/// Material of a backend that this version does not have: there is none.
#[derive(Debug)]
#[allow(unnameable_types, reason = "materials are not for outsiders")]
pub struct NoMaterial(Infallible);

macro_rules! holds {
    ($($provenance:ident: $($state:ident => $material:ty),+;)+) => {$(
        impl Closed for $provenance {}
        $(
            impl Store<$state, Ed25519> for $provenance {
                type Material = $material;
            }
            impl Holds<$state, Ed25519> for $provenance {}
        )+
        impl Provenance<Ed25519> for $provenance {}
    )+};
}

holds! {
    Software: Locked => LockedMaterial, Unlocked => UnlockedMaterial;
    TpmSealed: Sealed => NoMaterial, Unlocked => NoMaterial;
    DeviceHeld: Sealed => SealedMaterial, Unlocked => OpenedMaterial;
    Hardware: Sealed => SealedMaterial, Unlocked => OpenedMaterial;
    External: Unlocked => ExternalMaterial;
}

macro_rules! sign_with {
    ($($provenance:ident),+) => {$(
        impl SignWith<Ed25519> for $provenance {
            fn sign_with(
                _: Token,
                material: &Self::Material,
                public: &Public,
                message: &[u8],
            ) -> Result<Signature, SignError> {
                material.sign(public, message)
            }
        }
    )+};
}

sign_with!(Software, TpmSealed, DeviceHeld, Hardware, External);

impl NoMaterial {
    fn sign(&self, _: &Public, _: &[u8]) -> Result<Signature, SignError> {
        match self.0 {}
    }
}
