//! How a private key came to be and where it can be.

use super::hooks::{SignWith, Store};
use super::state::{State, Unlocked};
use crate::algorithm::{Algorithm, Ed25519};
use crate::private::Closed;

/// Whether a key of this provenance can be in state `S` at all.
///
/// # Sealed
///
/// The pairs that exist are in the table of [`crate::key`]. An impossible
/// pair, like `Key<Hardware, Locked>`, cannot even be named.
#[diagnostic::on_unimplemented(
    message = "the type `Key<{Self}, {S}, {A}>` does not exist",
    label = "no key of this provenance, state and algorithm; in generic code, a bound is missing",
    note = "in generic code, add the bound `P: Provenance` (or `P: Provenance<A>`). Then \
            `Key<P, Unlocked>` exists and can sign",
    note = "`Software` keys are `Locked` or `Unlocked`; `TpmSealed`, `DeviceHeld` and `Hardware` \
            keys are `Sealed` or `Unlocked`; `External` keys are `Unlocked`",
    note = "`P256` keys are `DeviceHeld`, `Hardware` or `External`. This crate never holds a P-256 \
            private key in memory, so it has none to lock or to seal. A TPM creates its P-256 keys \
            itself: they are `Hardware`"
)]
pub trait Holds<S: State, A: Algorithm = Ed25519>: Store<S, A> {}

/// A provenance whose unlocked keys sign: the one bound for generic code.
///
/// # Sealed
///
/// Implemented by the five markers of this module.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a provenance of `{A}` keys",
    label = "expected `DeviceHeld`, `Hardware` or `External`; for `Ed25519` also `Software` or \
             `TpmSealed`",
    note = "to use a signer of your own, call `Key::<External, Unlocked>::from_external` or \
            `from_external_p256`"
)]
pub trait Provenance<A: Algorithm = Ed25519>: Holds<Unlocked, A> + SignWith<A> {}

/// The private key is in process memory, and can be read on request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Software {}

/// The private key was made in software and is sealed to one TPM at rest.
/// **While unlocked it is in this process' (locked) memory**, because no TPM
/// signs with Ed25519; no method gives it out.
#[derive(Debug)]
#[non_exhaustive]
pub enum TpmSealed {}

/// The private key is held by a device now, but is not shown to be born there:
/// it was imported, or the device does not say. There may be copies.
#[derive(Debug)]
#[non_exhaustive]
pub enum DeviceHeld {}

/// The private key was born behind the device's interface and never left it,
/// **by everything the device says**. The device may be a soft token, whose files can be
/// copied: [`HardwareBacked`](super::HardwareBacked) leaves those out.
#[derive(Debug)]
#[non_exhaustive]
pub enum Hardware {}

/// The private key is behind a signer written outside this crate.
#[derive(Debug)]
#[non_exhaustive]
pub enum External {}

impl Closed for Software {}
impl Closed for TpmSealed {}
impl Closed for DeviceHeld {}
impl Closed for Hardware {}
impl Closed for External {}
