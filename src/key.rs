//! Keys whose provenance and state are their type.
//!
//! `Key<P, S, A>`: how the private key came to be and where it can be (`P`),
//! whether it can be used now (`S`), and with which algorithm (`A`, Ed25519
//! unless said otherwise). What a type cannot do, it has no method for.
//!
//! ```text
//!   Key<Software, Locked> --unlock(passphrase)--> Key<Software, Unlocked>
//!                         <---lock(passphrase)---
//!   Key<P, Sealed> ------------unseal(PIN)------> Key<P, Unlocked>     P = TpmSealed, DeviceHeld,
//!                  <------------seal()-----------                          Hardware
//!   from_external(signer) ----------------------> Key<External, Unlocked>
//! ```
//!
//! | provenance | states | secret bytes | [`Confined`] | [`NeverExposed`] |
//! |---|---|---|---|---|
//! | [`Software`] | `Locked`, `Unlocked` | while unlocked | no | no |
//! | [`TpmSealed`] | `Sealed`, `Unlocked` | **no** | no | no |
//! | [`DeviceHeld`] | `Sealed`, `Unlocked` | **no** | unlocked | no |
//! | [`Hardware`] | `Sealed`, `Unlocked` | **no** | unlocked | unlocked |
//! | [`External`] | `Unlocked` | **no** | no | no |
//!
//! `DeviceHeld`, `Hardware` and `External` keys exist for [`P256`](crate::P256) as well, for
//! devices that hold nothing else: `Key<Hardware, Unlocked, P256>`.
//!
//! A *sealed* device key is a demand, not yet a fact: tokens show a private
//! key's attributes only after login. `unseal` reads them and refuses a key
//! whose evidence does not bear its type out. That is why the capabilities of
//! a device belong to the unlocked key.

mod at_rest;
mod backed;
mod capability;
pub(crate) mod challenge;
pub(crate) mod device;
mod erased;
mod external;
mod hardware;
mod hooks;
#[cfg(feature = "keystore")]
mod locked;
mod materials;
mod observed;
mod pair;
mod provenance;
mod public;
mod refused;
pub(crate) mod seed_payload;
mod software;
mod state;
pub(crate) mod tpm_sealed;

use std::fmt;
use std::sync::Arc;

pub use at_rest::{AtRest, SealedKey};
pub use backed::HardwareBacked;
pub use capability::{Confined, ExposeSecret, MadeInMemory, NeverExposed};
pub(crate) use challenge::prove_possession;
pub use erased::{DidKey, WrongProvenance};
pub use external::ExternalSigner;
pub use hardware::HardwareKey;
pub use observed::{Observed, Signing, SigningObserver, SigningPurpose};
pub use pair::KeyPair;
pub use provenance::{DeviceHeld, External, Hardware, Holds, Provenance, Software, TpmSealed};
pub use refused::Refused;
pub use state::{Locked, Sealed, State, Unlocked};
use zeroize::Zeroizing;

use self::hooks::{Exposes, Makes, Store};
use self::public::Public;
use crate::algorithm::{Algorithm, Ed25519, Signature, VerifyingKey};
use crate::did::{Did, DidMethod};
use crate::evidence::Evidence;
use crate::fault::SignError;
use crate::private::{Closed, Token};
use crate::secret::{NoRandomness, pkcs8};
use crate::signer::{DidSigner, refuse_reserved};

/// A private key, or the only way to it.
///
/// Not `Clone`, `Default` or `Serialize`: there is one of each key, and
/// transitions consume it. Two words, so that errors can carry it back.
#[must_use = "dropping a key closes it"]
pub struct Key<P, S, A = Ed25519>
where
    P: Holds<S, A>,
    S: State,
    A: Algorithm,
{
    public: Arc<Public>,
    material: <P as Store<S, A>>::Material,
}

impl<P, S, A> Key<P, S, A>
where
    P: Holds<S, A>,
    S: State,
    A: Algorithm,
{
    /// The DID of the public key.
    #[must_use]
    pub fn did(&self) -> &Did {
        &self.public.did
    }

    /// The public key.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.public.verifying_key()
    }

    /// The same key, named by a DID of another method. A P-256 key has a `did:key` only,
    /// and keeps it.
    pub fn with_did_method(self, method: DidMethod) -> Self {
        let did = Did::fitting(method, self.verifying_key());
        let public = Public { did, evidence: self.public.evidence.clone() };
        Self { public: Arc::new(public), material: self.material }
    }

    /// A new key from the system's random generator, made in locked memory: a
    /// `Key<Software, Unlocked>`. Any other key is made by a device or by its own signer.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`] only.
    pub fn generate() -> Result<Self, NoRandomness>
    where
        Self: MadeInMemory,
    {
        Makes::make(Token::new())
    }

    /// The key of a 32-byte seed (RFC 8032, section 5.1.5): a `Key<Software, Unlocked>`.
    ///
    /// The seed is copied into locked memory; wipe the one you gave.
    pub fn from_seed(seed: &[u8; 32]) -> Self
    where
        Self: MadeInMemory,
    {
        Makes::of_seed(Token::new(), seed)
    }

    /// The 32-byte Ed25519 seed (RFC 8032), where there is one to see.
    ///
    /// The reference points into locked memory; what is copied from there is
    /// the caller's to wipe.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8; 32]
    where
        Self: ExposeSecret,
    {
        Exposes::seed(self, Token::new())
    }

    /// The private key as PKCS#8 v1 in PEM (RFC 8410, section 7; RFC 7468), as
    /// OpenSSL reads it, where there is one to see. Wiped when dropped.
    ///
    /// Whoever has this text is this identity: [`crate::keystore::export_secret`]
    /// puts it into a file, encrypted.
    #[must_use]
    pub fn expose_pkcs8_pem(&self) -> Zeroizing<String>
    where
        Self: ExposeSecret,
    {
        pkcs8::pem(Exposes::seed(self, Token::new()))
    }

    fn new(public: Arc<Public>, material: <P as Store<S, A>>::Material) -> Self {
        Self { public, material }
    }
}

impl<P, A> Key<P, Unlocked, A>
where
    P: Provenance<A>,
    A: Algorithm,
{
    /// **Blocks** while a device signs. Signs exactly the bytes given.
    ///
    /// # Errors
    ///
    /// [`SignError::Reserved`] for a message that begins like a statement of this
    /// crate ([`crate::statement`]). Otherwise [`SignError`] if the device or the
    /// foreign signer failed, or returned a signature that does not verify; a
    /// software key does not fail.
    pub fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        refuse_reserved(message)?;
        self.sign_any(message)
    }

    fn sign_any(&self, message: &[u8]) -> Result<Signature, SignError> {
        P::sign_with(Token::new(), &self.material, &self.public, message)
    }
}

impl<P, A> DidSigner for Key<P, Unlocked, A>
where
    P: Provenance<A>,
    A: Algorithm,
{
    fn did(&self) -> &Did {
        &self.public.did
    }

    fn verifying_key(&self) -> &VerifyingKey {
        self.public.verifying_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        Key::sign(self, message)
    }

    fn __sign_statement(&self, statement: &[u8], _: Token) -> Result<Signature, SignError> {
        self.sign_any(statement)
    }

    fn __verifies(&self, token: Token) -> bool {
        P::verifies(token, &self.material)
    }

    fn __sign_sha256(
        &self,
        digest: &[u8; 32],
        token: Token,
    ) -> Option<Result<Signature, SignError>> {
        P::sign_sha256_with(token, &self.material, &self.public, digest)
    }

    fn __takes_hashes(&self, _: Token) -> bool {
        true
    }

    fn __evidence(&self, _: Token) -> Option<&Evidence> {
        self.public.evidence.as_ref()
    }
}

impl<P, S, A> Closed for Key<P, S, A>
where
    P: Holds<S, A>,
    S: State,
    A: Algorithm,
{
}

impl<P, S, A> fmt::Debug for Key<P, S, A>
where
    P: Holds<S, A>,
    S: State,
    A: Algorithm,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("provenance", &state::name::<P>())
            .field("state", &state::name::<S>())
            .field("did", &self.public.did)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
