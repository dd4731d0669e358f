//! Keys in memory: ours, and signers that somebody else wrote.

use std::error::Error as StdError;

use icn_identity::{
    AlgorithmId, DidKey, External, ExternalSigner, Key, P256, Signature, Software, Unlocked,
    VerifyingKey,
};

use super::{BOTH, Fixture, round_trip, routes};

/// Somebody else's signer.
pub(super) enum InMemory {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    P256(Box<p256::ecdsa::SigningKey>),
}

impl InMemory {
    pub(super) fn generate(algorithm: AlgorithmId) -> Self {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).unwrap();
        match algorithm {
            AlgorithmId::Ed25519 => {
                Self::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&secret)))
            }
            _ => Self::P256(Box::new(p256::ecdsa::SigningKey::from_slice(&secret).unwrap())),
        }
    }
}

impl ExternalSigner for InMemory {
    fn verifying_key(&self) -> VerifyingKey {
        let key = match self {
            Self::Ed25519(key) => {
                VerifyingKey::from_bytes(AlgorithmId::Ed25519, key.verifying_key().as_bytes())
            }
            Self::P256(key) => VerifyingKey::from_bytes(
                AlgorithmId::P256,
                key.verifying_key().to_sec1_point(true).as_bytes(),
            ),
        };
        key.unwrap()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn StdError + Send + Sync>> {
        use signature::Signer;
        Ok(match self {
            Self::Ed25519(key) => {
                Signature::from_ed25519_bytes(Signer::sign(&**key, message).to_bytes())
            }
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = Signer::sign(&**key, message);
                Signature::from_p256_bytes(signature.to_bytes().into())
            }
        })
    }
}

/// With one bit changed; or a byte longer, if there is none.
pub(super) fn other_than(message: &[u8], bit: usize) -> Vec<u8> {
    let mut other = message.to_vec();
    match other.len() {
        0 => other.push(bit.to_le_bytes()[0]),
        length => other[bit / 8 % length] ^= 1 << (bit % 8),
    }
    other
}

fn software() -> DidKey {
    Key::<Software, Unlocked>::generate().unwrap().into()
}

fn external(algorithm: AlgorithmId) -> DidKey {
    let signer = InMemory::generate(algorithm);
    match algorithm {
        AlgorithmId::Ed25519 => {
            Key::<External, Unlocked>::from_external(signer).map_err(|_| ()).unwrap().into()
        }
        _ => Key::<External, Unlocked, P256>::from_external_p256(signer)
            .map_err(|_| ())
            .unwrap()
            .into(),
    }
}

#[test]
fn what_keys_in_memory_sign_verifies_everywhere_and_nothing_else_does() {
    let mut fixtures = vec![Fixture::of_key("software", AlgorithmId::Ed25519, software)];
    fixtures.extend(
        BOTH.map(|algorithm| Fixture::of_key("external", algorithm, move || external(algorithm))),
    );
    assert_eq!(BOTH.map(routes::count), [9, 9]);
    round_trip(&fixtures, 3 * 3 * 9);
}
