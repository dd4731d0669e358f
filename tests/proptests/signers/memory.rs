//! Keys in memory: ours, and signers that somebody else wrote.

use std::error::Error as StdError;

use icn_identity::{
    AlgorithmId, DidKey, External, ExternalSigner, Key, P256, Signature, Software, Unlocked,
    VerifyingKey,
};

/// Somebody else's signer.
pub(crate) enum InMemory {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    P256(Box<p256::ecdsa::SigningKey>),
}

impl InMemory {
    pub(crate) fn generate(algorithm: AlgorithmId) -> Self {
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

pub(crate) fn software() -> DidKey {
    Key::<Software, Unlocked>::generate().unwrap().into()
}

pub(crate) fn external(algorithm: AlgorithmId) -> DidKey {
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
