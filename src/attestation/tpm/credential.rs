//! What only one TPM with one key can read (`TPM2_MakeCredential`, TPM 2.0 Library, part 1,
//! section 24), made without a TPM.

use aes::cipher::KeyIvInit as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::SecretKey;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::public::EndorsementKey;
use super::wire::put_sized;
use crate::attestation::bytes::Name;
use crate::secret::{NoRandomness, fill_random};

/// For the endorsement key, about the attestation key of this Name.
#[derive(Debug)]
pub(in crate::attestation) struct Credential {
    /// `TPMS_ID_OBJECT`.
    pub(in crate::attestation) blob: Vec<u8>,
    /// `TPMS_ECC_POINT`.
    pub(in crate::attestation) encrypted: Vec<u8>,
}

impl Credential {
    pub(in crate::attestation) fn make(
        ek: &EndorsementKey,
        ak: &Name,
        secret: &[u8; 32],
    ) -> Result<Self, NoRandomness> {
        Ok(Self::with(ek, ak, secret, &ephemeral()?))
    }

    fn with(ek: &EndorsementKey, ak: &Name, secret: &[u8; 32], ours: &SecretKey) -> Self {
        let shared = p256::ecdh::diffie_hellman(ours.to_nonzero_scalar(), ek.key.as_affine());
        let point = ours.public_key().to_sec1_point(false);
        let (x, y) = halves(point.as_bytes());
        // KDFe (part 1, section 11.4.10.3).
        let mut kdf = Sha256::new();
        kdf.update(1_u32.to_be_bytes());
        kdf.update(shared.raw_secret_bytes());
        kdf.update(b"IDENTITY\0");
        kdf.update(x);
        kdf.update(&ek.x);
        let seed = Zeroizing::new(<[u8; 32]>::from(kdf.finalize()));

        let mut identity = Zeroizing::new(Vec::with_capacity(34));
        put_sized(&mut identity, secret);
        let key = kdf_a(&seed, b"STORAGE\0", ak, 128);
        let mut aes_key = Zeroizing::new([0; 16]);
        aes_key.iter_mut().zip(key.iter()).for_each(|(to, from)| *to = *from);
        let cipher = cfb_mode::Encryptor::<aes::Aes128>::new((&*aes_key).into(), &[0; 16].into());
        cipher.encrypt(&mut identity);

        let integrity = hmac(&kdf_a(&seed, b"INTEGRITY\0", &[], 256), &[&identity, ak]);
        let (mut blob, mut encrypted) = (Vec::new(), Vec::new());
        put_sized(&mut blob, &*integrity);
        blob.extend_from_slice(&identity);
        put_sized(&mut encrypted, x);
        put_sized(&mut encrypted, y);
        Self { blob, encrypted }
    }
}

/// The coordinates of an uncompressed point.
fn halves(point: &[u8]) -> (&[u8], &[u8]) {
    point.get(1..).and_then(|point| point.split_at_checked(32)).unwrap_or_default()
}

/// KDFa (part 1, section 11.4.10.2), as much as is one HMAC.
fn kdf_a(seed: &[u8; 32], label: &[u8], context: &[u8], bits: u32) -> Zeroizing<[u8; 32]> {
    hmac(seed, &[&1_u32.to_be_bytes(), label, context, &bits.to_be_bytes()])
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    // HMAC fills a shorter key with zeros itself (RFC 2104, section 2).
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    parts.iter().for_each(|part| mac.update(part));
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn ephemeral() -> Result<SecretKey, NoRandomness> {
    loop {
        let mut bytes = Zeroizing::new([0; 32]);
        fill_random(bytes.as_mut_slice())?;
        // All but one of 2^32 are below the order of the group.
        if let Ok(key) = SecretKey::from_slice(bytes.as_slice()) {
            return Ok(key);
        }
    }
}

/// Blob and encrypted secret.
#[cfg(test)]
pub(in crate::attestation) fn credential_for_tests(
    ek: &crate::algorithm::P256VerifyingKey,
    ak: &Name,
    secret: &[u8; 32],
) -> (Vec<u8>, Vec<u8>) {
    let ek = EndorsementKey { key: *ek, x: ek.to_uncompressed()[1..33].to_vec() };
    let Credential { blob, encrypted } = Credential::make(&ek, ak, secret).unwrap();
    (blob, encrypted)
}

#[cfg(test)]
mod tests;
