//! Where the companions of a bundle are at home. Each home is an instance.

use std::sync::Arc;

use super::RenewalError;
use crate::bundle::{BundleError, Companions};
use crate::did::Did;
use crate::fault::KeystoreError;
use crate::locator::Pkcs11Locator;

/// Says what comes after the companions that are kept: `None` if nothing does.
pub(crate) type Decide<'a> = dyn FnMut(&Companions) -> Result<Option<Companions>, BundleError> + 'a;

/// Keeps companions elsewhere than in memory, and with what opens them.
///
/// Not for outsiders: what it is given and gives are private keys.
pub(crate) trait Keeper: Send + Sync {
    /// Whether this certificate is the one that is kept, by what everybody can read
    /// and change. Takes no lock.
    fn shows(&self, certificate: &[u8]) -> Result<bool, KeystoreError>;

    /// Reads what is kept for the DID, has `decide` say what comes after it, and writes
    /// that: one step beside all others who write there. Gives what is kept then.
    fn renew(&self, did: &Did, decide: &mut Decide<'_>) -> Result<Companions, RenewalError>;

    /// Writes down that the token shows the key of the DID without a login, if the key is
    /// still there.
    fn record_shown(&self, did: &Did, at: &Pkcs11Locator) -> Result<(), RenewalError>;
}

/// Where companions are.
#[derive(Clone)]
pub(in crate::bundle) enum Kept {
    /// In the files of an identity: whoever opens it has them.
    InStore(Arc<dyn Keeper>),
    /// In the memory of this process alone.
    InMemory,
}
