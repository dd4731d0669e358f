//! One's own key, with the word of its device's maker.

use std::fmt;

use super::{Attestable, AttestationRefusal as Refusal, Attested};
use crate::algorithm::{Signature, VerifyingKey};
use crate::did::Did;
use crate::evidence::{Evidence, ProvenanceKind};
use crate::fault::SignError;
use crate::key::{Confined, Hardware, NeverExposed, Refused};
use crate::private::{Closed, Token};
use crate::signer::{DidSigner, DidSignerExt as _};
use crate::sshsig::SshSignature;

/// A signer of one's own whose key its device's maker vouches for: its
/// [`assurance`](crate::DidSignerExt::assurance) is
/// [`Assurance::Attested`](crate::Assurance::Attested).
///
/// A node makes an attestation of its own key, as it would for others, and verifies it by the
/// anchors that it believes itself; no other way leads to that assurance.
///
/// ```
/// use icn_identity::attestation::{Attested, AttestedKey, AttestationRefusal};
/// use icn_identity::{Hardware, HardwareKey, Refused, Requirement};
///
/// fn treasury(
///     key: HardwareKey,
///     proof: Attested<Hardware>,
/// ) -> Result<AttestedKey<HardwareKey>, Refused<HardwareKey, AttestationRefusal>> {
///     let key = AttestedKey::check(key, proof)?;
///     assert!(Requirement::any().attested().check(&key).is_ok());
///     Ok(key)
/// }
/// ```
///
/// It lasts as long as this value. A key that is sealed, moved or opened anew shows what its device
/// says of it then, and is attested anew. What its device says is not changed by it: the facts stay
/// the device's word, and so does the provenance.
#[must_use = "dropping a key closes it"]
pub struct AttestedKey<K, P: Attestable = Hardware> {
    key: K,
    evidence: Evidence,
    proof: Attested<P>,
}

impl<K, P: Attestable> AttestedKey<K, P> {
    /// Takes a signer, with the proof that was verified of this very key.
    ///
    /// # Errors
    ///
    /// Gives the signer back, with [`AttestationRefusal::OtherKey`](Refusal::OtherKey) if the proof
    /// is of another one, [`AttestationRefusal::OwnDevice`](Refusal::OwnDevice) if its device is
    /// known to be software, or a service elsewhere, whatever a maker says of a key with this
    /// public part; and [`AttestationRefusal::OwnHistory`](Refusal::OwnHistory) if the maker says that
    /// the key was imported, and the device that it was born there.
    pub fn check(key: K, proof: Attested<P>) -> Result<Self, Refused<K, Refusal>>
    where
        K: DidSigner + Confined,
    {
        match attested(&key, &proof) {
            Ok(evidence) => Ok(Self { key, evidence, proof }),
            Err(refusal) => Err(Refused::new(key, refusal)),
        }
    }

    /// The signer.
    pub const fn as_inner(&self) -> &K {
        &self.key
    }

    /// The signer, with its device's word alone.
    pub fn into_inner(self) -> K {
        self.key
    }

    /// What was verified of its key.
    pub const fn proof(&self) -> &Attested<P> {
        &self.proof
    }
}

/// The one place where evidence is attested.
fn attested<K, P>(key: &K, proof: &Attested<P>) -> Result<Evidence, Refusal>
where
    K: DidSigner,
    P: Attestable,
{
    if key.did() != proof.did() || key.verifying_key() != proof.verifying_key() {
        return Err(Refusal::OtherKey { did: key.did().clone() });
    }
    let found = key.provenance();
    if found == ProvenanceKind::Hardware && proof.provenance() != found {
        return Err(Refusal::OwnHistory { found: proof.provenance() });
    }
    let attested = key.evidence().and_then(Evidence::attested);
    attested.ok_or_else(|| Refusal::OwnDevice { found: key.assurance() })
}

impl<K: DidSigner, P: Attestable> DidSigner for AttestedKey<K, P> {
    fn did(&self) -> &Did {
        self.key.did()
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        self.key.sign(message)
    }
    fn sign_for(&self, context: &str, message: &[u8]) -> Result<SshSignature, SignError> {
        self.key.sign_for(context, message)
    }
    fn __sign_statement(&self, statement: &[u8], token: Token) -> Result<Signature, SignError> {
        self.key.__sign_statement(statement, token)
    }
    fn __verifies(&self, token: Token) -> bool {
        self.key.__verifies(token)
    }
    fn __sign_sha256(
        &self,
        digest: &[u8; 32],
        token: Token,
    ) -> Option<Result<Signature, SignError>> {
        self.key.__sign_sha256(digest, token)
    }
    fn __takes_hashes(&self, token: Token) -> bool {
        self.key.__takes_hashes(token)
    }
    fn __evidence(&self, _: Token) -> Option<&Evidence> {
        Some(&self.evidence)
    }
}

impl<K, P: Attestable> Closed for AttestedKey<K, P> {}
#[diagnostic::do_not_recommend]
impl<K: Confined, P: Attestable> Confined for AttestedKey<K, P> {}
#[diagnostic::do_not_recommend]
impl<K: NeverExposed, P: Attestable> NeverExposed for AttestedKey<K, P> {}

impl<K: fmt::Debug, P: Attestable> fmt::Debug for AttestedKey<K, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttestedKey")
            .field("key", &self.key)
            .field("proof", &self.proof)
            .finish_non_exhaustive()
    }
}
