//! What has to happen before a key can sign.

use crate::private::Closed;

/// The state of a key, as a type.
///
/// # Sealed
///
/// [`Locked`], [`Sealed`] and [`Unlocked`] are all there are.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key state",
    label = "expected `Locked`, `Sealed` or `Unlocked`"
)]
pub trait State: Closed + Send + Sync + 'static {}

/// Encrypted with a passphrase; wants it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Locked {}

/// Held by or sealed to a device; wants its PIN or policy.
#[derive(Debug)]
#[non_exhaustive]
pub enum Sealed {}

/// Can sign.
#[derive(Debug)]
#[non_exhaustive]
pub enum Unlocked {}

impl Closed for Locked {}
impl Closed for Sealed {}
impl Closed for Unlocked {}
impl State for Locked {}
impl State for Sealed {}
impl State for Unlocked {}

/// The bare name of a marker type.
pub(super) fn name<T>() -> &'static str {
    std::any::type_name::<T>().rsplit("::").next().unwrap_or_default()
}
