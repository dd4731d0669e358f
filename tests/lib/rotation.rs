//! Rotation statements and chains, through the library.

mod chains;
mod continuations;
mod craft;
mod forks;
mod handing_over;
mod making;
mod properties;
mod refusals;
mod stored;

use std::error::Error as StdError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use icn_identity::algorithm::P256VerifyingKey;
use icn_identity::rotation::{KeyCommitment, RotationError, RotationReason, RotationTerms};
use icn_identity::{
    Did, DidSigner, External, ExternalSigner, Key, P256, RotationChain, RotationStatement,
    Signature, Software, Unlocked, VerifyingKey,
};

/// 2026-01-01T00:00:00Z
const NEW_YEAR: u64 = 1_767_225_600;

fn software() -> Key<Software, Unlocked> {
    Key::generate().unwrap()
}

fn software_keys<const N: usize>() -> [Key<Software, Unlocked>; N] {
    std::array::from_fn(|_| software())
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn terms() -> RotationTerms {
    RotationTerms::new(RotationReason::Scheduled).at(at(NEW_YEAR))
}

fn committing_to(did: &Did) -> RotationTerms {
    terms().commit_to(KeyCommitment::to(did.verifying_key()))
}

fn first(old: &dyn DidSigner, new: &dyn DidSigner) -> RotationChain {
    let statement = RotationStatement::sign_unguarded(old, new, None, &terms()).unwrap();
    RotationChain::verify([statement]).unwrap()
}

fn next(
    chain: &RotationChain,
    old: &dyn DidSigner,
    new: &dyn DidSigner,
    terms: &RotationTerms,
) -> Result<RotationChain, RotationError> {
    chain.continued(RotationStatement::sign_unguarded(old, new, Some(chain), terms)?)
}

/// Of software keys, each committing to the next.
fn chain_of(keys: &[Key<Software, Unlocked>]) -> RotationChain {
    let mut chain = None;
    for (index, pair) in keys.windows(2).enumerate() {
        let terms =
            keys.get(index + 2).map_or_else(terms, |committed| committing_to(committed.did()));
        let statement =
            RotationStatement::sign_unguarded(&pair[0], &pair[1], chain.as_ref(), &terms).unwrap();
        chain = Some(match chain {
            None => RotationChain::verify([statement]).unwrap(),
            Some(chain) => chain.continued(statement).unwrap(),
        });
    }
    chain.unwrap()
}

fn statements(chain: &RotationChain) -> Vec<RotationStatement> {
    chain.statements().cloned().collect()
}

/// A P-256 key in memory, that gives the higher of the two signatures.
struct HighS(p256::ecdsa::SigningKey);

impl HighS {
    fn key(seed: u8) -> Key<External, Unlocked, P256> {
        let key = p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap();
        Key::from_external_p256(Self(key)).unwrap()
    }
}

impl ExternalSigner for HighS {
    fn verifying_key(&self) -> VerifyingKey {
        let point = self.0.verifying_key().to_sec1_point(true);
        P256VerifyingKey::from_bytes(point.as_bytes().try_into().unwrap()).unwrap().into()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn StdError + Send + Sync>> {
        use signature::Signer as _;
        let signature: p256::ecdsa::Signature = self.0.try_sign(message)?;
        Ok(Signature::from_p256_bytes(higher(signature)))
    }
}

fn higher(signature: p256::ecdsa::Signature) -> [u8; 64] {
    let (r, s) = signature.normalize_s().split_scalars();
    p256::ecdsa::Signature::from_scalars(r, -*s).unwrap().to_bytes().into()
}
