//! Private keys in locked memory.

use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use sha2::{Digest, Sha512};
use zeroize::Zeroize;

use super::memory::LockedBox;
use super::random::{self, NoRandomness};
use super::stack::leaving_no_trace;
use crate::algorithm::{Ed25519VerifyingKey, X25519PublicKey};

/// An Ed25519 seed, and what RFC 8032 section 5.1.5 expands it to, kept so
/// that a signature does not expand it again.
pub(crate) struct SigningSeed(LockedBox<Expanded>);

struct Expanded {
    seed: [u8; 32],
    secret: ExpandedSecretKey,
}

impl Zeroize for Expanded {
    fn zeroize(&mut self) {
        self.seed.zeroize();
        self.secret.scalar.zeroize();
        self.secret.hash_prefix.zeroize();
    }
}

impl Expanded {
    fn blank() -> Self {
        let secret = ExpandedSecretKey { scalar: Default::default(), hash_prefix: [0; 32] };
        Self { seed: [0; 32], secret }
    }

    /// The hash and the clamped scalar are on the stack meanwhile.
    fn expand(&mut self) {
        leaving_no_trace(|| {
            let mut hash = [0_u8; 64];
            hash.copy_from_slice(&Sha512::digest(self.seed));
            let expanded = ExpandedSecretKey::from_bytes(&hash);
            self.secret.scalar = expanded.scalar;
            self.secret.hash_prefix = expanded.hash_prefix;
            hash.zeroize();
        });
    }
}

impl SigningSeed {
    /// A new seed from the system's random generator, made in place.
    pub(crate) fn generate() -> Result<Self, NoRandomness> {
        LockedBox::try_new(Expanded::blank(), |expanded| {
            random::fill(&mut expanded.seed)?;
            expanded.expand();
            Ok(())
        })
        .map(Self)
    }

    /// Copies a seed into locked memory; the caller wipes its own.
    pub(crate) fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(LockedBox::new(Expanded::blank(), |expanded| {
            expanded.seed.copy_from_slice(seed);
            expanded.expand();
        }))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0.seed
    }

    pub(crate) fn verifying_key(&self) -> Ed25519VerifyingKey {
        leaving_no_trace(|| Ed25519VerifyingKey(ed25519_dalek::VerifyingKey::from(&self.0.secret)))
    }

    /// `public` must be [`Self::verifying_key`]: Ed25519 leaks its scalar when
    /// it signs under two public keys, so callers keep the pair together.
    pub(crate) fn sign(&self, public: &Ed25519VerifyingKey, message: &[u8]) -> [u8; 64] {
        leaving_no_trace(|| raw_sign::<Sha512>(&self.0.secret, message, &public.0).to_bytes())
    }
}

/// An X25519 private key (RFC 7748): 32 bytes, clamped when used.
pub(crate) struct X25519Seed(LockedBox<[u8; 32]>);

impl X25519Seed {
    pub(crate) fn generate() -> Result<Self, NoRandomness> {
        LockedBox::try_new([0; 32], |seed| random::fill(seed)).map(Self)
    }

    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(LockedBox::new([0; 32], |seed| seed.copy_from_slice(bytes)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn public_key(&self) -> X25519PublicKey {
        X25519PublicKey::from_bytes(leaving_no_trace(|| {
            x25519_dalek::x25519(*self.0, x25519_dalek::X25519_BASEPOINT_BYTES)
        }))
    }
}
